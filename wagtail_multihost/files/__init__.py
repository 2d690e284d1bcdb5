"""Files that are whole at any time: locks, drafts beside their places, renames, and what is on the disk."""
