"""The identity table: what is where.

    pk  USERS                sk <user>      a user
    pk  EMAIL#<hash>         sk E           whose address it is: an address belongs to one user
    pk  ADMINS               sk A           ids of the active admins, a set
    pk  CLIENTS              sk <client>    a service client
    pk  SESSION#<session>    sk S           a session
    pk  SESSIONS#<user>      sk <session>   says that the user has it
    pk  REVOKED              sk <session>   its tokens are void
    pk  ATTEMPTS#<key>#...   sk A           how many there were in a window
    pk  REMEMBERED#<key>     sk R           a key, for a while

Operators and clients are few: one partition lists all of a kind.
"""

from __future__ import annotations

USERS = "USERS"
