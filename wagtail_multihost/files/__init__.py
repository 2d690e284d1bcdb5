"""Files that are complete at any time: locks, drafts beside the final files, renames, and syncing to disk."""
