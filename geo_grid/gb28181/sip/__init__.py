"""SIP as GB/T 28181 speaks it, from the side of the upper platform: lower ones register, and are asked.

Messages are parsed and written by aiosipua. Sockets, digest, registrar, MESSAGE and SUBSCRIBE are ours, since all of them are
bounded: whoever can reach the port is a stranger until they have registered.
"""

from geo_grid.gb28181.sip.agent import Agent, Hears
from geo_grid.gb28181.sip.identity import Identity, Known
from geo_grid.gb28181.sip.refusals import Refusal, Refusals, Why
from geo_grid.gb28181.sip.sockets import Peer, Sockets

__all__ = ["Agent", "Hears", "Identity", "Known", "Peer", "Refusal", "Refusals", "Sockets", "Why"]
