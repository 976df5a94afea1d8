"""`audit code`: each way to start an agent is found with what it lacks, and what only looks like one is not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from openclaw.lint.check import check
from tests.conftest import Box

S, I, M = "scope", "inject", "isolation"  # noqa: E741 - as short as the table wants it
ALL = (S, I, M)
OURS = "from openclaw.api import sessions_spawn\nimport openclaw.api as oc\n"
SP = "import subprocess as sp, os, asyncio\nfrom subprocess import run\n"

PYTHON = [
    (OURS + "sessions_spawn('x')", (S, I)),
    (OURS + "sessions_spawn('x', {'can_read': ['a']}, ['b'])", ()),
    (OURS + "sessions_spawn('x', scope={'timeout': 5}, inject=['b'])", (S,)),
    (OURS + "oc.sessions_spawn('x', scope=None, inject=())", (S, I)),
    (OURS + "oc.sessions_spawn('x', scope=mine, inject=files)", ()),
    (OURS + "oc.sessions_spawn('x', scope={'can_read': r, **more}, inject=files, session='main')", (M,)),
    (OURS + "sessions_spawn('make', agent='shell', scope={'can_write': ['a']})", ()),
    (OURS + "sessions_spawn('x', template='research')", ()),
    (OURS + "sessions_spawn('x', type=None)", (S, I)),
    (OURS + "sessions_spawn(*a)\nsessions_spawn(**k)\nsessions_spawn('x', **k)", ()),
    ("from openclaw.api import *\nsessions_spawn('x', {'can_read': ['a']}, ['b'])", ()),
    ("sessions_spawn('x', scope=s, inject=i)", (M,)),
    ("client.sessions_spawn(task='x')", ALL),
    ("client.sessions_spawn(task='x', scope=s, inject=i, session='isolated')", ()),
    (SP + "sp.run(['claude', '-p', prompt])", ALL),
    (SP + "run(args=['/usr/bin/claude', '--print', f'do {x}'])", ALL),
    (SP + "def f():\n    cmd = ['codex', 'exec']\n    sp.Popen(cmd + ['x'])", ALL),
    (SP + "BASE = ['claude']\ndef f(p):\n    sp.check_output([*BASE, '-p', p])", ALL),
    (SP + "def f(cmd):\n    sp.run(cmd)\ncmd = ['claude', '-p', 'x']", ()),
    (SP + "os.system(f\"nohup codex exec '{task}' &\")", ALL),
    (SP + "sp.run('cd x && claude -p y', shell=True)", ALL),
    (SP + "sp.run('claude -p y'.split())", ALL),
    (SP + "os.execvp('claude', ['claude', '-p', 'x'])", ALL),
    (SP + "async def f():\n    await asyncio.create_subprocess_exec('gemini', '-p', 'x')", ALL),
    (SP + "sp.run(['tmux', 'new-session', '-d', '-s', 'w', 'claude -p hi'])", ALL),
    (SP + "sp.run(['openclaw', 'spawn', '--agent', 'claude', task])", (S, I)),
    (SP + "sp.run(['python', '-m', 'openclaw', 'spawn', task])", (S, I)),
    (SP + "cmd = ['openclaw', 'spawn', 'x']\ncmd += extra\nsp.run(cmd)", ()),
    (SP + "cmd = ['openclaw', 'spawn', 'x']\ncmd.extend(extra)\nsp.run(cmd)", ()),
    (SP + "sp.run(f'openclaw spawn {options} {task}', shell=True)", ()),
    (SP + "sp.run(['openclaw', 'spawn', '--read', 'src/**', f'--inject={x}', task])", ()),
    (
        SP
        + "sp.run(['claude', '--version'])\nsp.run(['claude', 'mcp', 'list'])\nsp.run(['claude', '--model', 'opus'])",
        (),
    ),
    (
        SP
        + "sp.run(['echo', 'claude', '-p'])\nsp.run(['which', 'claude'])\nsp.run(['git', 'commit', '-m', 'claude -p'])",
        (),
    ),
    (SP + "a = [*a]\nsp.run(a)\nx = y\ny = x\nsp.run(x)\n'claude'", ()),
    ("'''sessions_spawn('in a docstring') claude -p'''\n# sessions_spawn('in a comment')\nt = 'sessions_spawn(1)'", ()),
    ("import other\nother.run(['claude', '-p', 'x'])", ()),
]
SHELL = [
    ("claude -p 'x'", ALL),
    ('nohup claude -p "$x" > log 2>&1 &', ALL),
    ('if true; then r=$(claude -p "$(date)"); fi', ALL),
    ("for i in 1 2; do echo $i | codex exec -; done", ALL),
    ("f() { timeout -k 5 10m env A=b claude --print x; }", ALL),
    ("bash -lc 'cd x; claude -p y'", ALL),
    ("tmux new-window -t main:3 \"cd x && claude 'fix it'\"", ALL),
    ("tmux new-session -d -s w claude -p x", ALL),
    ("npx -y @anthropic-ai/claude-code@2.1.197 -p x", ALL),
    ("ls | xargs -I{} claude -p {}", ALL),
    ("claude --dangerously-skip-permissions", ALL),
    ('claude "$PROMPT"', ALL),
    ("aider --message 'x' a.py", ALL),
    ('openclaw spawn --agent claude "$T"', (S, I)),
    ("openclaw spawn --read 'src/**' x", (I,)),
    ("openclaw spawn --agent shell --write out 'make out'", ()),
    ("A=b openclaw --workspace w spawn --write a --inject b x", ()),
    ("openclaw spawn --template t x; openclaw spawn --from tasks.yaml; openclaw spawn --dry-run x", ()),
    ('openclaw spawn $OPTIONS "$T"; openclaw spawn "${args[@]}" x; openclaw spawn "$@"', ()),
    ("openclaw cron add --name n --every 10m --session main", (M,)),
    ("openclaw cron add --name n --every 10m", (I,)),
    ("openclaw cron add --name n --every 10m --session isolated --inject-only HEARTBEAT.md", ()),
    ("openclaw ps; openclaw spawn --help", ()),
    ("# claude -p x\necho 'claude -p x' \"claude -p y\"\ncat <<EOF\nclaude -p heredoc\nEOF", ()),
    ('claude\nclaude "$@"\nclaude $ARGS\nclaude --resume\nclaude mcp list\ncodex login', ()),
    ("exec ./program.sh claude x 1\nsudo -u claude ls\ntmux attach -t claude\nkillall claude\npip install aider", ()),
    ("if then fi ((\nclaude -p after-what-is-broken", ALL),
]
JOB = '{{"name": "beat", "schedule": {{"kind": "every", "everyMs": 1800000}}, {}}}'
TREES = [
    (JOB.format('"payload": {"kind": "systemEvent", "text": "beat"}'), (M, I)),
    (JOB.format('"sessionTarget": "main", "payload": {"kind": "agentTurn"}, "run": {"type": "cron"}'), (M,)),
    (JOB.format('"sessionTarget": "isolated", "payload": {"kind": "agentTurn"}'), (I,)),
    (JOB.format('"sessionTarget": "isolated", "payload": {"kind": "agentTurn"}, "run": {"injectOnly": ["H.md"]}'), ()),
    ('{"a": {"jobs": [\n// claude -p\n\t' + JOB.format('"payload": {"kind": "systemEvent"}') + ",\n]}}", (M, I)),
    ('[{"task": "a", "agent": "claude"}]', (S, I)),
    ('[{"task": "a", "inject": ["x"], "scope": {"can_read": ["y"]}}]', ()),
    ('[{"task": "a", "agent": "shell", "write": ["x"]}]', ()),
    ('[{"task": "water the plants", "name": "x"}]', ()),
    ('[{"task": "a", "agent": "claude", "colour": "blue"}]', ()),
    ('{"scripts": {"ai": "claude -p x"}, "payload": {"kind": "systemEvent"}}', ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "lacks"),
    [
        (name, text, lacks)
        for name, rows in (("a.py", PYTHON), ("a.sh", SHELL), ("a.json", TREES))
        for text, lacks in rows
    ],
)
def test_what_is_found(tmp_path: Path, name: str, text: str, lacks: tuple[str, ...]) -> None:
    (tmp_path / name).write_text(text + "\n")
    found = check([str(tmp_path)], os.environ)
    assert not found.broken and found.files == 1
    assert [each.lacks for each in found.findings] == ([lacks] if lacks else [])
    for each in found.findings:
        assert each.mend and "\ue000" not in each.mend + each.what


def test_places_and_how_to_mend_it(box: Box) -> None:
    box.write("jobs/old.yaml", "\n- name: old\n  schedule: {kind: every}\n  payload: {kind: systemEvent}\n")
    box.write(
        ".github/workflows/ci.yml", "jobs:\n  x:\n    steps:\n      - run: |\n          echo\n          claude -p x\n"
    )
    box.write(
        "cron.d/mine",
        "# * * * * * root claude -p x\n@daily root openclaw cron tick\n0 7 * * 1-5 root claude -p 'a' % b\n",
    )
    box.write("crontab", "MAILTO=x\n*/5 * * * * cd x && claude -p 'a'\n")
    box.write("bin/tool", "#!/usr/bin/env bash\n\nclaude -p x\nclaude -p y  # openclaw: allow\n")
    box.write("README.md", "claude -p x\n")
    done = box.cli("audit", "code", ".", exit=1)
    places = [line.partition(": ")[0] for line in done.stdout.splitlines() if not line.startswith(" ")][:-1]
    assert places == [".github/workflows/ci.yml:6", "bin/tool:3", "cron.d/mine:3", "crontab:2", "jobs/old.yaml:2"]
    assert "  → openclaw spawn --agent claude --read GLOB" in done.stdout
    assert done.stdout.endswith("looked at 5 files with 6 spawns: 5 lack something\n") and not done.stderr
    found = box.json("audit", "code", "bin", exit=1)
    assert found["findings"][0] | {"mend": ""} == {
        "path": "bin/tool", "line": 3, "what": "claude, started by itself", "lacks": list(ALL), "mend": "",
    }  # fmt: skip


def test_what_git_ignores_is_left_out_in_a_repository_and_out_of_one(box: Box) -> None:
    bad = "claude -p x\n"
    for name in ("seen.sh", "ignored/a.sh", "node_modules/b.sh", "inner/c.sh"):
        box.write(name, bad)
    box.write(".gitignore", "ignored/\n")
    (box.work / "link.sh").symlink_to("seen.sh")
    for repository in (False, True):
        if repository:
            subprocess.run(["git", "init", "-q", str(box.work)], check=True)
            subprocess.run(["git", "init", "-q", str(box.work / "inner")], check=True)
        found = box.json("audit", "code", exit=1)["findings"]
        assert sorted(each["path"] for each in found) == ["inner/c.sh", "seen.sh"]
    for named in ("ignored/a.sh", "ignored"):  # who names it means it
        assert box.json("audit", "code", named, exit=1)["findings"][0]["path"] == "ignored/a.sh"


def test_a_broken_file_is_one_line_and_the_rest_is_checked(box: Box) -> None:
    box.write("a.py", "import subprocess\nclaude = (\n")
    box.write("b.yaml", "claude: [\n")
    box.write("c.json", '{"payload": ' * 2000)
    box.write("d.py", b"import subprocess\nx = 'claude\xff'\n")
    box.write("e.py", b"import os\n" + b"os.system(" + b"-" * 90_000 + b"'claude')\n")
    box.write("f.sh", "claude -p x\n")
    box.write("g.bin.py", b"\0claude subprocess")
    done = box.cli("audit", "code", "--json", exit=1)
    found = json.loads(done.stdout)
    assert [each["path"] for each in found["findings"]] == ["f.sh"]
    assert [each["path"] for each in found["broken"]] == ["a.py", "b.yaml", "c.json", "d.py", "e.py"]
    assert done.stderr.count("\n") == 5 and "a.py:2: '(' was never closed" in done.stderr


def test_without_the_parser_of_shell_it_says_so(box: Box) -> None:
    box.write("a.sh", "claude -p x\n")
    box.write("b.py", "sessions_spawn('x')\n")
    no = box.write("no/tree_sitter_bash.py", "raise ModuleNotFoundError\n").parent
    done = box.cli("audit", "code", "a.sh", "b.py", exit=1, env={"PYTHONPATH": str(no)})
    assert "b.py:1" in done.stdout and "a.sh" not in done.stdout
    assert "1 files with shell in them were not looked into" in done.stderr and "openclaw[audit]" in done.stderr


def test_words_that_cannot_be_meant(box: Box) -> None:
    assert "/nowhere" in box.cli("audit", "code", "/nowhere", exit=4).stderr
    assert "--month" in box.cli("audit", "code", "--month", "2026-11", exit=2).stderr
    assert box.cli("audit", "code", "-h").stdout.startswith("usage: openclaw audit")
    assert "looked at 0 files with 0 spawns: nothing is lacking" in box.cli("audit", "code").stdout
