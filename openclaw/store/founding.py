"""The first steps of the database: sub-agents, what they report, main agents, contexts. See `migrations`."""

from __future__ import annotations

FIRST: tuple[tuple[str, str], ...] = (
    (
        "0001_sessions_and_claims",
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            task TEXT NOT NULL,
            type TEXT NOT NULL,
            agent TEXT NOT NULL,
            model TEXT,
            role TEXT,
            status TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT '',      -- why it is in that state, for people
            cwd TEXT NOT NULL,
            worktree TEXT,
            socket TEXT NOT NULL,
            server_pid INTEGER,                   -- with server_started and the ids: which tmux server gave the ids
            server_started INTEGER,
            tmux_session TEXT,
            window_id TEXT,
            pane_id TEXT,
            pid INTEGER,
            spawner TEXT NOT NULL DEFAULT '',     -- process that is creating it; a dead one means: undo or adopt
            conversation_id TEXT,
            scope TEXT NOT NULL DEFAULT '{}',     -- JSON {read: [...], write: [...]}, absolute patterns
            injected TEXT NOT NULL DEFAULT '[]',  -- JSON [{path, tokens, sha256}]
            injected_tokens INTEGER NOT NULL DEFAULT 0,
            env TEXT NOT NULL DEFAULT '[]',       -- JSON list of names; values are never stored
            tokens_used INTEGER NOT NULL DEFAULT 0,
            cost_usd REAL NOT NULL DEFAULT 0,
            budget_tokens INTEGER,
            budget_usd REAL,
            timeout_s REAL,
            exit_code INTEGER,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            ended_at TEXT
        );
        CREATE UNIQUE INDEX sessions_live_name ON sessions(name) WHERE ended_at IS NULL;
        CREATE INDEX sessions_live ON sessions(created_at) WHERE ended_at IS NULL;
        CREATE INDEX sessions_created ON sessions(created_at);
        CREATE TABLE claims (
            session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
            pattern TEXT NOT NULL,
            PRIMARY KEY (session_id, pattern)
        ) WITHOUT ROWID;
        CREATE TABLE queue (
            ticket INTEGER PRIMARY KEY AUTOINCREMENT,
            holder TEXT NOT NULL                  -- process that waits its turn
        );
        """,
    ),
    (
        "0002_what_agents_report",
        """
        -- how its program reports, '' if it can't
        ALTER TABLE sessions ADD COLUMN reporter TEXT NOT NULL DEFAULT '';
        -- what its hooks said last, when, what it asks for, and why its last turn failed
        ALTER TABLE sessions ADD COLUMN reported_state TEXT NOT NULL DEFAULT '';
        ALTER TABLE sessions ADD COLUMN reported_at TEXT NOT NULL DEFAULT '';
        ALTER TABLE sessions ADD COLUMN asks TEXT NOT NULL DEFAULT '';
        ALTER TABLE sessions ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
        -- where the program itself keeps its state
        ALTER TABLE sessions ADD COLUMN status_file TEXT NOT NULL DEFAULT '';
        -- NULL: not known
        ALTER TABLE sessions ADD COLUMN context_tokens INTEGER;
        ALTER TABLE sessions ADD COLUMN conversation_tokens INTEGER;
        CREATE TABLE events (                     -- what hooks reported, oldest first
            number INTEGER PRIMARY KEY,
            session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
            at TEXT NOT NULL,
            name TEXT NOT NULL,
            data TEXT NOT NULL                    -- JSON, the parts of the report that are worth keeping
        );
        CREATE INDEX events_session ON events(session_id, number);
        CREATE TABLE transcripts (                -- every conversation it had, and how far each was read
            session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            read_bytes INTEGER NOT NULL DEFAULT 0,
            compacted INTEGER NOT NULL DEFAULT 0, -- 1: since its last turn, so nobody knows its context
            number INTEGER PRIMARY KEY,
            UNIQUE (session_id, path)
        );
        CREATE TABLE turns (                      -- one model call as the program recorded it; the last report counts
            number INTEGER PRIMARY KEY,
            session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
            message_id TEXT NOT NULL,
            request_id TEXT NOT NULL,
            path TEXT NOT NULL,                   -- the transcript it is from
            at TEXT NOT NULL,
            model TEXT NOT NULL,
            side INTEGER NOT NULL,                -- 1: of an agent inside the agent
            input INTEGER NOT NULL,
            cache_write INTEGER NOT NULL,
            cache_read INTEGER NOT NULL,
            output INTEGER NOT NULL,
            UNIQUE (session_id, message_id, request_id)
        );
        """,
    ),
    (
        "0003_violations",  # JSON list of absolute paths that changed outside its scope
        """
        ALTER TABLE sessions ADD COLUMN violations TEXT NOT NULL DEFAULT '[]'
        """,
    ),
    (
        "0004_sends",  # see store/sends.py
        """
        CREATE TABLE sends (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
            text TEXT NOT NULL,
            state TEXT NOT NULL,
            why TEXT NOT NULL DEFAULT '',
            after_event INTEGER NOT NULL DEFAULT 0,
            sender TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        );
        CREATE INDEX sends_session ON sends(session_id, number);
        CREATE INDEX sends_waiting ON sends(session_id) WHERE state IN ('queued', 'typing')
        """,
    ),
    (
        "0006_mains",  # the agents that run the sub-agents, one row for each of their conversations
        """
        CREATE TABLE mains (
            conversation_id TEXT PRIMARY KEY,
            agent TEXT NOT NULL,
            cwd TEXT NOT NULL,
            workspace TEXT NOT NULL,
            transcript TEXT NOT NULL,
            state TEXT NOT NULL,
            registered_at TEXT NOT NULL,
            seen_at TEXT NOT NULL,
            socket TEXT NOT NULL DEFAULT '',      -- of the tmux server it runs in, if any, and its pane
            pane_id TEXT NOT NULL DEFAULT '',
            context_tokens INTEGER,               -- NULL: not known
            ended_at TEXT
        ) WITHOUT ROWID;
        CREATE INDEX mains_workspace ON mains(workspace, seen_at);
        """,
    ),
    (
        "0008_reports_that_waited",  # taken in from files that may still be there: see store/spool.py
        """
        CREATE TABLE taken_reports (name TEXT PRIMARY KEY) WITHOUT ROWID
        """,
    ),
    (
        "0009_context",  # what is known of the context of each, and what was done about it: see store/crossings.py
        """
        -- tokens of its window; NULL: not known
        ALTER TABLE sessions ADD COLUMN context_limit INTEGER;
        ALTER TABLE sessions ADD COLUMN context_level TEXT NOT NULL DEFAULT '';
        -- warn or compact; '' as the settings say
        ALTER TABLE sessions ADD COLUMN on_context TEXT NOT NULL DEFAULT '';
        -- 1: a command of the program, typed as it is, and proven by what it does
        ALTER TABLE sends ADD COLUMN command INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE main_usage (                 -- of a main agent: how far its file was read, and what was found
            conversation_id TEXT PRIMARY KEY,
            path TEXT NOT NULL,
            read_bytes INTEGER NOT NULL,
            first_tokens INTEGER,                 -- what its first and its last call sent; NULL: nobody knows
            last_tokens INTEGER,
            window INTEGER,                       -- the size that the program itself has reported
            model TEXT NOT NULL,
            compacted INTEGER NOT NULL            -- 1: since its last call
        ) WITHOUT ROWID;
        CREATE TABLE crossings (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            who TEXT NOT NULL,                    -- a session's id, or the conversation of a main agent
            threshold TEXT NOT NULL,              -- warn compact budget-warn budget-compact budget-halt
            conversation TEXT NOT NULL,
            crossed_at TEXT NOT NULL,
            tokens INTEGER NOT NULL,              -- when it was crossed
            state TEXT NOT NULL,                  -- how far it was acted upon
            why TEXT NOT NULL DEFAULT '',
            attempts INTEGER NOT NULL DEFAULT 0,
            after_event INTEGER NOT NULL DEFAULT 0,
            changed_at TEXT NOT NULL,
            cleared_at TEXT                       -- it has fallen below again, or ended
        );
        CREATE UNIQUE INDEX crossings_open ON crossings(who, threshold) WHERE cleared_at IS NULL
        """,
    ),
)
