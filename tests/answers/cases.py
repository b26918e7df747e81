"""The table of answers: what a provider sends, and what everybody who reads it must get out of it.

Each case has a kind: the rule that decides it. The gateway, the middle tier, the typed client and the page's script all run the whole table
(`test_answers.py`, `test_page.py`). Most cases come from what providers and their imitators have been reported to send.
"""

from __future__ import annotations

from tests.answers.case import Case, End
from tests.answers.contents import CALLS, COUNTS, FIRST, ONCE, PARTS
from tests.answers.endings import ENDINGS, HEARTBEATS
from tests.answers.failures import FAILURES, WHOLE
from tests.answers.forms import ENCODINGS, FORMS
from tests.answers.statuses import STATUSES

__all__ = ["CASES", "Case", "End"]

CASES = [*FAILURES, *ENDINGS, *FORMS, *HEARTBEATS, *ENCODINGS, *PARTS, *ONCE, *FIRST, *CALLS, *COUNTS, *WHOLE, *STATUSES]
