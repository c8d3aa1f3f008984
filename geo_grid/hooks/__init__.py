"""Web hooks: other systems are told of changes by signed letters (Standard Webhooks, https://www.standardwebhooks.com)."""

from geo_grid.hooks.areas import AreaNow, note_areas
from geo_grid.hooks.delivering import deliver, examine_hooks, wanted
from geo_grid.hooks.sending import Sender
from geo_grid.hooks.subscriptions import (
    DeadLetter,
    Hook,
    NewHook,
    add_hook,
    dead_letters,
    enable_hook,
    list_hooks,
    remove_hook,
    send_again,
)

__all__ = [
    "AreaNow",
    "DeadLetter",
    "Hook",
    "NewHook",
    "Sender",
    "add_hook",
    "dead_letters",
    "deliver",
    "enable_hook",
    "examine_hooks",
    "list_hooks",
    "note_areas",
    "remove_hook",
    "send_again",
    "wanted",
]
