"""System checks, tag ``multihost``. Importing a module registers its checks; an id is never reused."""

TAG = "multihost"
