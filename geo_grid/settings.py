"""One Settings object, read once from GEO_GRID_* environment variables."""

import ipaddress
import os
from datetime import time
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE = Path(__file__).parent


def asset_dir(name: str) -> Path:
    """Return the folder of assets (`static`, `migrations`, `data`): inside a wheel, or beside the package."""
    packed = PACKAGE / "_assets" / name
    return packed if packed.is_dir() else PACKAGE.parent / name


def default_state_dir() -> Path:
    """Return where the private database lives when nothing else is said."""
    if os.geteuid() == 0:
        return Path("/var/lib/geo_grid")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "geo_grid"


class Settings(BaseSettings):
    """What can be configured. Every field is the variable GEO_GRID_<FIELD> in capitals."""

    model_config = SettingsConfigDict(env_prefix="GEO_GRID_")

    database_url: str | None = Field(None, description="libpq connection string; replaces the private PostGIS cluster")
    app_database_url: str | None = Field(
        None, description="the same database as the user geo_grid_app, for the server; needed with database_url"
    )
    service_database_url: str | None = Field(
        None,
        description="the same database as the user geo_grid_service, for log-in, publishing and the server's other own"
        " work; app_database_url with that user if not given",
    )
    replica_url: str | None = Field(
        None,
        description="streaming replicas of the same database, as the user of app_database_url: they answer heavy reads when"
        " they have all that the primary has",
    )
    state_dir: Path = Field(
        default_factory=default_state_dir, description="folder of the private cluster, logs and pid files"
    )
    wal_archive: Path | None = Field(
        None,
        description="folder on another disk to which the private cluster copies its log, and geo-grid archive the rest",
    )
    least_free_mb: int = Field(
        256, ge=0, description="free disk below which the server is not ready: soon nothing could be accepted"
    )
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(8000, ge=0, le=65535, description="port to serve on")
    workers: int = Field(
        1,
        ge=1,
        le=16,
        description="processes that serve; each has pools, memory and processes that know roads of its own",
    )
    log_requests: bool = Field(
        False,
        description="a line in the log for every request, not for those alone that failed here or took more than 5 s",
    )
    pool_size: int = Field(8, ge=1, le=200, description="most database connections one server lends to requests")
    reserved_pool_size: int = Field(
        5, ge=4, le=50, description="database connections besides, kept for log-in, who asks, health and events"
    )
    statement_timeout_s: float = Field(30, gt=0, description="longest a request may ask the database")
    work_timeout_s: float = Field(
        120, gt=0, description="longest one statement of work on drafts, files and comparisons may take"
    )
    connections_per_address: int = Field(
        512, ge=8, description="connections of clients from one address; fewer where descriptors are few"
    )
    event_streams_per_account: int = Field(100, ge=1, description="pages of one account that listen to events")
    answers_per_account: int = Field(
        4, ge=1, description="long answers (exports, long lists, bulk) of one account that are made or sent at once"
    )
    positional_error_m: float = Field(
        10, ge=0, le=500, description="neighbours nearer than this are named as alternatives"
    )
    response_speed_kmh: float = Field(
        30, gt=0, le=150, description="speed for circles without a road network (no official figure exists)"
    )
    response_detour_factor: float = Field(
        1.3, ge=1, le=5, description="road length over straight-line length for such circles"
    )
    response_on_foot_kmh: float = Field(5, gt=0, le=15, description="speed on foot without a road network")
    response_workers: int = Field(2, ge=1, le=64, description="processes that ask the road graph")
    response_timeout_s: float = Field(5, gt=0, le=120, description="longest one question about roads may take")
    solver_processes: int = Field(1, ge=1, le=16, description="sitings and proposals that are worked out at once")
    solver_memory_mb: int = Field(4096, ge=512, le=1 << 20, description="most memory one of them may take")
    solver_timeout_s: float = Field(300, gt=0, le=3600, description="longest one of them may take")
    response_road_reach_m: float = Field(
        200, gt=0, le=5000, description="farthest a place may lie from a road to count as on it"
    )
    response_walk_reach_m: float = Field(
        2000, ge=0, le=10_000, description="farthest a place may lie from a road: from there on they go on foot"
    )
    response_ignores_one_ways: bool = Field(False, description="vehicles on duty may drive against one-way streets")
    response_uses_ferries: bool = Field(False, description="vehicles on duty and people on foot may take ferries")
    response_top_speed_kmh: int = Field(120, ge=10, le=252, description="fastest a vehicle on duty drives anywhere")
    response_road_speeds: str = Field(
        "",
        description="km/h that vehicles on duty drive on classes of road instead of limits, with |, for example"
        " primary=70|residential=40; counts with the next import of roads",
    )
    response_traffic: str = Field(
        "",
        description="what travel times are multiplied by, and when: OpenStreetMap opening hours = factor, with |,"
        " for example Mo-Fr 07:00-09:00=1.4|Mo-Fr 17:00-19:00=1.3",
    )
    patrol_shifts: str = Field(
        "day=08:00-20:00|night=20:00-08:00",
        description="shifts of patrols: name=from-to in the city's own time, with |",
    )
    camera_fov_deg: float = Field(
        60, gt=0, lt=360, description="opening angle of cameras whose register does not say it, degrees"
    )
    camera_range_m: float = Field(
        50, gt=0, le=5000, description="how far cameras see whose register does not say it, metres: our estimate"
    )
    camera_state_days: int = Field(
        35, ge=4, le=3650, description="days for which changes of the state of cameras are kept, to count by hour"
    )
    track_retention_h: float = Field(
        24,
        gt=0,
        le=24 * 366,
        description="hours for which positions of units are kept, and to the end of their day (UTC), which is dropped whole",
    )
    tls_certificate: Path | None = Field(None, description="PEM file with the certificate chain; serves HTTPS")
    tls_key: Path | None = Field(None, description="PEM file with its private key")
    trusted_proxies: str = Field(
        "", description="addresses or networks of the proxies whose X-Forwarded-For and -Proto count, with commas"
    )
    session_idle_min: float = Field(
        30, gt=0, le=24 * 60, description="minutes without a person's act that end a session"
    )
    session_longest_h: float = Field(12, gt=0, le=24 * 7, description="hours after which a session ends in any case")
    known_device_days: int = Field(
        180,
        ge=1,
        le=400,
        description="days for which a browser stays known after a log-in: strangers do not lock it out",
    )
    password_min_length: int = Field(12, ge=8, le=128, description="characters a password has at least")
    password_history: int = Field(5, ge=1, le=24, description="so many last passwords cannot be chosen again")
    password_max_age_days: int = Field(90, ge=1, description="days after which a password must be changed")
    rate_limit: str = Field("100/second", description="requests of one account; the form of the package limits")
    anonymous_rate_limit: str = Field("20/second", description="requests of one address that nobody logged in from")
    login_rate_limit: str = Field("10/minute", description="log-ins tried from one address")
    oidc_issuer: str | None = Field(None, description="URL of the OpenID Connect provider; offers log-in through it")
    oidc_client_id: str = Field("geo_grid", description="our name at the provider")
    oidc_client_secret: SecretStr | None = Field(None, description="our secret at the provider")
    oidc_name: str = Field("单点登录 SSO", description="what the log-in page calls the provider")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?$",
        description="address people open; every link names it. Without it links name the address that is served on",
    )
    security_contact: str | None = Field(
        None,
        pattern=r"^(mailto:[^\s@]+@[^\s@.]+\.[^\s@]+|https://\S+|tel:\+?[0-9-]+)$",
        description="whom security.txt names (RFC 9116); without one there is no such file",
    )
    audit_retention_months: int = Field(12, ge=6, le=240, description="calendar months of audit that are kept")
    caller_retention_days: int = Field(
        90, ge=1, le=3650, description="days after closing an incident until its caller's number is purged"
    )
    party_retention_days: int = Field(
        30, ge=1, le=3650, description="days after closing a dispute until its parties are deleted"
    )
    text_retention_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="days after closing until texts are emptied: of incidents, their steps, mediation, the supervised list",
    )
    webhook_networks: str = Field(
        "",
        description="networks besides public addresses that web hooks may be sent to, with commas, for example"
        " 10.20.0.0/16; with 127.0.0.0/8 also plain http, to this machine alone",
    )
    webhook_timeout_s: float = Field(5, gt=0, le=30, description="longest a receiver of a web hook may take to answer")
    webhook_waits_s: str = Field(
        "5|300|1800|7200|18000|36000|50400",
        pattern=r"^\d+(\.\d+)?(\|\d+(\.\d+)?)*$",
        description="seconds between the tries of a web hook, with |; after the last try it is given up",
    )
    feed_minutes: float = Field(10, gt=0, le=240, description="minutes for which a camera that was opened is seen")
    feeds_per_account: int = Field(4, ge=1, le=64, description="pictures of cameras that one account sees at once")
    feeds_at_once: int = Field(16, ge=1, le=256, description="pictures of cameras that one server shows at once")
    feed_usual_hours: str = Field(
        "06:00-23:00",
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$",
        description="hours of the day, in the city's own time, outside of which the auditor's page names openings of cameras",
    )
    feed_many_cameras: int = Field(
        10,
        ge=1,
        le=10_000,
        description="cameras that one account opens within an hour before the auditor's page names it",
    )
    stream_netrc: Path | None = Field(
        None,
        description="file of the form .netrc with names and passwords of the hosts of pictures; nobody else may read it",
    )
    sip_id: str | None = Field(
        None,
        pattern=r"^[0-9]{20}$",
        description="our own SIP id (GB/T 28181), 20 digits: lower platforms register with it; none may without",
    )
    sip_host: str = Field("127.0.0.1", description="address on which platforms reach us, by UDP and TCP")
    sip_port: int = Field(0, ge=0, le=65535, description="port on which platforms reach us, mostly 5060; 0: none does")
    sip_netrc: Path | None = Field(
        None,
        description="file of the form .netrc with the passwords of platforms: machine (its 20 digits), login, password; nobody"
        " else may read it",
    )
    sip_lost_s: float = Field(
        180,
        ge=10,
        le=86_400,
        description="seconds without a word, mostly three keep-alives, after which a platform is gone",
    )
    sip_catalogue_h: float = Field(
        24, ge=0.1, le=24 * 30, description="hours between the catalogues that a platform is asked for"
    )
    media_host: str | None = Field(
        None,
        pattern=r"^[0-9A-Fa-f.:]{2,45}$",
        description="IP address that platforms are told to send pictures to; that of the door of platforms if not given",
    )
    media_ports: str = Field(
        "30000-30199",
        pattern=r"^[0-9]{4,5}-[0-9]{4,5}$",
        description="ports on which pictures of platforms are received",
    )
    media_transport: Literal["udp", "tcp"] = Field(
        "udp", description="how platforms send pictures; over tcp they connect to us, and lose no packet"
    )
    base_map_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s;,'\"<>]+$",
        description="tiles of a base map from elsewhere: XYZ or WMTS with {z}, {x}, {y} and maybe {s}; not in GCJ-02",
    )
    base_map_subdomains: str = Field("abc", pattern="^[a-z0-9]+$", description="letters that {s} stands for")
    base_map_attribution: str = Field("", description="whom the base map from elsewhere is owed to")
    tianditu_key: SecretStr | None = Field(None, description="key of TianDiTu, whose maps are offered then")
    chromium: str | None = Field(
        None, description="file of the Chromium that makes pictures; one of the system or Playwright's if not given"
    )
    tile_cache_mb: int = Field(64, ge=0, le=4096, description="memory for vector tiles drawn before")
    tile_disk_mb: int = Field(256, ge=0, le=1 << 20, description="disk for tiles of boundaries drawn before")
    timezone: str = Field("Asia/Shanghai", description="of working hours, and of times in files that name none")
    city_name_zh: str = Field("邢台市", description="name shown on the pages")
    city_name_en: str = Field("Xingtai", description="name shown on the pages")

    @property
    def roads_dir(self) -> Path:
        """Folder of the road graphs."""
        return self.state_dir / "roads"

    @property
    def media_port_range(self) -> range:
        """Ports on which pictures of platforms are received."""
        first, last = map(int, self.media_ports.split("-"))
        return range(first, last + 1)

    @property
    def webhook_listed(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Networks besides public addresses that web hooks may be sent to."""
        return tuple(ipaddress.ip_network(one.strip()) for one in self.webhook_networks.split(",") if one.strip())

    @property
    def webhook_waits(self) -> tuple[float, ...]:
        """Seconds between the tries of a web hook."""
        return tuple(map(float, self.webhook_waits_s.split("|")))

    @property
    def usual_hours(self) -> tuple[time, time]:
        """Hours of the day in which openings of cameras are usual."""
        begin, end = (time.fromisoformat(one) for one in self.feed_usual_hours.split("-"))
        return begin, end

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, listed: str) -> str:
        for one in listed.split(","):
            try:
                ipaddress.ip_network(one.strip() or "::1")
            except ValueError:
                message = f"{one.strip()!r} is no network: name each as an address and a length, such as 10.20.0.0/16"
                raise ValueError(message) from None
        return listed

    @field_validator("media_host")
    @classmethod
    def _is_address(cls, host: str | None) -> str | None:
        try:
            return None if host is None else str(ipaddress.ip_address(host))
        except ValueError:
            message = f"{host!r} is no IP address: platforms are told to send pictures there"
            raise ValueError(message) from None

    @field_validator("media_ports")
    @classmethod
    def _are_ports(cls, ports: str) -> str:
        first, last = map(int, ports.split("-"))
        if not 1024 <= first <= last <= 65535:
            message = f"{ports!r} are no ports: name the first and the last between 1024 and 65535, such as 30000-30199"
            raise ValueError(message)
        return ports

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            message = f"{name!r} is no time zone: name one as the IANA does, such as Asia/Shanghai"
            raise ValueError(message) from None
        return name

    @field_validator("base_map_url")
    @classmethod
    def _has_places(cls, url: str | None) -> str | None:
        if url is not None and not all(part in url for part in ("{z}", "{x}", "{y}")):
            message = "the address needs {z}, {x} and {y} where zoom, column and row of a tile go"
            raise ValueError(message)
        return url


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings()
