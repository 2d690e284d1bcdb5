"""What came of changes, as commands print it; references to secrets are masked."""

from __future__ import annotations

from wagtail_multihost.control.changes import Changed, Outcome
from wagtail_multihost.control.differences import rows_of

#: So many changed sites are listed with their keys.
MOST_LISTED = 50
PLATFORM = "the platform"
IN_A_WAVE = "It goes to the nodes in a wave: multihost_wave shows how far it is."


def outcome_text(outcome: Outcome) -> str:
    """Return a line for each change, and the revision."""
    changed = outcome.changed
    if not changed:
        return f"Nothing differs. The revision is {outcome.revision}."
    lines = [line_of(one) for one in changed[:MOST_LISTED]]
    if len(changed) > MOST_LISTED:
        lines.append(f"and {len(changed) - MOST_LISTED} more")
    verb = "would be" if outcome.dry_run else "is"
    count = "1 change" if len(changed) == 1 else f"{len(changed)} changes"
    lines.append(f"{count}. The revision {verb} {outcome.revision}.")
    return "\n".join([*lines, IN_A_WAVE] if outcome.wave else lines)


def outcome_row(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as JSON has it."""
    changed = [row_of(one) for one in outcome.changed]
    wave = str(outcome.wave) if outcome.wave else None
    return {"revision": outcome.revision, "dry_run": outcome.dry_run, "wave": wave, "changed": changed}


def line_of(changed: Changed) -> str:
    keys = ", ".join(difference.key for difference in changed.differences)
    return f"{changed.type}  {changed.identifier or PLATFORM}: {keys}"


def row_of(changed: Changed) -> dict[str, object]:
    return {
        "type": changed.type,
        "site": changed.identifier or None,
        "uid": str(changed.uid) if changed.uid else None,
        "changes": rows_of(changed.differences, of_platform=changed.uid is None),
    }
