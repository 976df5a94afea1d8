"""What was said: decisions, preferences, small talk, what a sentence reports. Pure; by its words alone, and careful.

What is taken for a decision is kept word for word: a line too many costs a few tokens, one too few costs more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from openclaw.context.repair import UNANSWERED

CALLED = UNANSWERED.partition("{")[0]  # how a call reads that nothing came of
LINE = 600  # characters: a longer line is a paragraph, of which only the sentence is kept
PIECE = re.compile(r"[^\n]+")
SENTENCE = re.compile(r"(?<=[.!?。！？])(?<!\.\.\.)\s+(?=[A-Z\"'`*(\[\d]|[^\x00-\x7f])")
DECIDED = re.compile(
    r"(?<![\w/.-])(?:decisions?(?![./_-]\w)|decided|we agreed|agreed (?:to|on|that)"
    r"|settled on|(?:I|we|I've|we've) (?:chose|chosen|opted)"
    r"|chose to|we(?:'ll| will) (?:go with|use|keep|stick)|(?:let's|I'll|I will|going to) go with|conclusion"
    r"|final(?:ly)? choice"
    r"|from now on|entscheid\w+|entschieden|décid\w+|decisi(?:ón|one|ones)|decidi(?:do|mos|u|to)|deciso|decisão"
    r"|besloten|besluit|zdecydowa\w+|decyzj\w+|реш(?:ен[оие]|или|аем)|вирішен\w+|вирішили|рішення|kararlaştır\w+)\b"
    r"|決定|决定|决策|決めました|결정",
    re.I,
)
LEANING = re.compile(
    r"\b(?:instead of|rather than|must (?:not|never|always|be|use)|should (?:not|never|always)|the right approach"
    r"|won't work|doesn't (?:support|work)|isn't supported|root cause|the (?:issue|problem|cause|fix) (?:is|was)"
    r"|because)\b",
    re.I,
)
PREFERRED = re.compile(
    r"\b(?:always|never|prefer|please|don't|do not|make sure|must|only|without|instead of|rather than|I want|I like"
    r"|no need)\b",
    re.I,
)
INTENT = re.compile(
    r"(?:Now |Next,? |Then |First,? |OK,? |Good[.!,]? |Great[.!,]? )*"
    r"(?:let me|let's|I'll|I will|I need to|I'm going|I also need|now (?:add|update|run|write|create))\b",
    re.I,
)
LIST = re.compile(r"^\s*(?:#+|[-*•]|\d+[.)])\s+")
MARKS = re.compile(LIST.pattern + r"|\*\*|`")
TOLD_MOST = 700
EMPTY = re.compile(r"(?:I see|Perfect|Good|Great|OK|Excellent|Now I|Done|Right)\b.{0,30}$", re.I)
SMALL = re.compile(
    r"(?:\W*\b(?:ok(?:ay)?|thanks?(?: you)?(?: (?:so|very) much| a lot)?|thx|ty|great|good|nice|cool|perfect|awesome"
    r"|hi|hello|hey|bye|good (?:morning|evening|night|job|work)|well done|sounds good|got it|i see|understood|alright"
    r"|how(?:'s| is) (?:it|that|everything|the weather)(?: going)?(?: today)?|how are you(?: doing)?|what's up|lol|yay"
    r"|(?:any )?(?:update|news|progress)s?|status(?: update)?|are you (?:done|there|ready|still there)(?: yet)?"
    r"|done yet|excellent"
    r"|danke|merci|gracias|grazie|ありがとう|谢谢|спасибо)\b\W*)+",
    re.I,
)
MADE = re.compile(
    r"<(?:command-|local-command|system-reminder|task-notification|bash-|user-prompt-submit-hook)|Caveat: "
    r"|\[Request interrupted|Base directory for this skill: |This session is being continued"
)


def sentences(text: str) -> Iterator[str]:
    """The sentences and lines of a text, without the marks that make a list or a heading."""
    in_code = False
    for line in PIECE.findall(text):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith(CALLED):
            for piece in SENTENCE.split(line.strip()):
                if len(piece) > 3:
                    yield piece


def decisions(text: str) -> list[str]:
    """What was decided, word for word."""
    if not DECIDED.search(text):
        return []
    found: list[str] = []
    listed = False  # under a line that announces them, each line is one
    for line in map(str.strip, text.split("\n")):
        if DECIDED.search(line):
            found += [line] if len(line) < LINE else [s for s in SENTENCE.split(line) if DECIDED.search(s)]
            listed = line.rstrip("*_").endswith(":")
        elif listed and line:
            found.append(line)
        else:
            listed = listed and found[-1].rstrip("*_").endswith(":")  # a blank line may stand before the first
    return found


def leanings(text: str) -> list[str]:
    """Sentences that give a reason or a rule, which is not yet a decision."""
    return [s for s in sentences(text) if LEANING.search(s) and not INTENT.match(s) and 20 < len(s) < 260]


def preferences(text: str) -> list[str]:
    """How the user wants it."""
    return [s for s in sentences(text) if PREFERRED.search(s) and len(s) < 260]


def reported(text: str) -> str:
    """The first sentence that says what is, and not what will be done next; empty if there is none."""
    for sentence in sentences(text):
        whole = len(sentence) > 12 and sentence[0] not in "#|" and not sentence.endswith((":", "..."))
        if whole and not INTENT.match(sentence) and not EMPTY.match(sentence):
            return LIST.sub("", sentence)
    return ""


def told(text: str) -> str:
    """A longer text in one line, without the marks of headings and lists."""
    lines = (line for line in PIECE.findall(text) if line.strip(" -=`|:") and not line.startswith(CALLED))
    return " ".join(MARKS.sub("", line).strip() for line in lines)[:TOLD_MOST]


def small(text: str) -> bool:
    """Whether it is an acknowledgement, a greeting or a question how it is going, and nothing else."""
    return len(text) < 120 and bool(SMALL.fullmatch(text.strip()))


def made(text: str) -> bool:
    """Whether the program said it in the user's place."""
    return bool(MADE.match(text.lstrip()))
