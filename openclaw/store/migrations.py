"""What the database has become, step by step: each named script runs once, in this order. Only ever add at the end."""

from __future__ import annotations

from openclaw.store.founding import FIRST
from openclaw.store.sums import triggers

MIGRATIONS: tuple[tuple[str, str], ...] = (
    *FIRST,
    (
        "0030_outcomes",  # how models were chosen, and what came of it: see store/outcomes.py
        """
        CREATE TABLE routes (
            session_id TEXT PRIMARY KEY REFERENCES sessions(id) ON DELETE CASCADE,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            risk TEXT NOT NULL,
            tier TEXT NOT NULL,
            agent TEXT NOT NULL,
            model TEXT NOT NULL,
            probability REAL NOT NULL,
            seed TEXT NOT NULL,
            chain TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE outcomes (
            number INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            agent TEXT NOT NULL,
            model TEXT NOT NULL,
            good INTEGER NOT NULL,
            source TEXT NOT NULL,
            session_id TEXT,                      -- kept when the session is forgotten: what was learned stays
            UNIQUE (session_id, source)
        );
        CREATE INDEX outcomes_kind ON outcomes(kind, number)
        """,
    ),
    (
        "0031_ledger",  # what was used and paid, also by conversations that people had themselves: see store/ledger.py
        f"""
        -- NULL: nobody knows, or not yet
        ALTER TABLE turns ADD COLUMN cost_usd REAL;
        CREATE INDEX turns_message ON turns(message_id, request_id);
        CREATE INDEX turns_path ON turns(session_id, path, number) WHERE side = 0;
        CREATE INDEX turns_unpriced ON turns(session_id, model) WHERE cost_usd IS NULL;
        CREATE TABLE imports (                    -- conversations that are no session's, and how far each was read
            path TEXT PRIMARY KEY,
            read_bytes INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE imported_turns (
            number INTEGER PRIMARY KEY,
            path TEXT NOT NULL,
            conversation TEXT NOT NULL,
            agent TEXT NOT NULL,
            message_id TEXT NOT NULL,
            request_id TEXT NOT NULL,
            at TEXT NOT NULL,
            model TEXT NOT NULL,
            side INTEGER NOT NULL,
            input INTEGER NOT NULL,
            cache_write INTEGER NOT NULL,
            cache_read INTEGER NOT NULL,
            output INTEGER NOT NULL,
            cost_usd REAL,
            UNIQUE (message_id, request_id)
        );
        CREATE INDEX imported_turns_unpriced ON imported_turns(agent, model) WHERE cost_usd IS NULL;
        CREATE TABLE skill_invocations (
            number INTEGER PRIMARY KEY,
            created_at TEXT NOT NULL,
            session_id TEXT,
            skill_name TEXT NOT NULL,
            tokens_used INTEGER NOT NULL
        );
        CREATE TABLE daily (                      -- sums of both, kept by triggers, so that figures are there at once
            day TEXT NOT NULL,
            session_id TEXT NOT NULL,             -- '' of what was imported, which has conversation and agent instead
            conversation TEXT NOT NULL,
            agent TEXT NOT NULL,
            model TEXT NOT NULL,
            side INTEGER NOT NULL,
            turns INTEGER NOT NULL,
            input INTEGER NOT NULL,
            cache_write INTEGER NOT NULL,
            cache_read INTEGER NOT NULL,
            output INTEGER NOT NULL,
            cost_usd REAL NOT NULL,
            unpriced INTEGER NOT NULL,            -- turns without a price
            PRIMARY KEY (day, session_id, conversation, agent, model, side)
        ) WITHOUT ROWID;
        CREATE INDEX daily_session ON daily(session_id);
        {triggers("turns", "session_id, '', ''")};
        {triggers("imported_turns", "'', conversation, agent")};
        INSERT INTO daily SELECT substr(at, 1, 10), session_id, '', '', model, side, count(*), sum(input),
            sum(cache_write), sum(cache_read), sum(output), 0, count(*) FROM turns GROUP BY 1, 2, 5, 6;
        CREATE VIEW ledger AS
            SELECT t.at, t.session_id, s.type, s.role, s.agent, t.model, t.side, t.input, t.cache_write, t.cache_read,
                t.output, t.input + t.cache_write + t.cache_read AS context, t.cost_usd
            FROM turns t JOIN sessions s ON s.id = t.session_id
            UNION ALL
            SELECT at, NULL, 'main', NULL, agent, model, side, input, cache_write, cache_read, output,
                input + cache_write + cache_read, cost_usd FROM imported_turns
        """,
    ),
    (
        "0020_jobs",  # what is scheduled, each firing of it, and what people are to be told
        """
        CREATE TABLE jobs (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            said TEXT NOT NULL,                   -- JSON: the job as it was written, with what we don't know of
            workspace TEXT NOT NULL,
            cwd TEXT NOT NULL,
            cursor REAL NOT NULL,                 -- epoch seconds: every firing due until then has its row in runs
            next_at REAL,                         -- when the next is to be looked at; NULL: none will
            failures INTEGER NOT NULL DEFAULT 0,  -- firings in a row that failed for good
            paused TEXT NOT NULL DEFAULT '',      -- why; '' while it isn't
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        );
        CREATE INDEX jobs_next ON jobs(next_at);
        CREATE TABLE runs (                       -- one firing; they stay when their job is removed
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            job_id TEXT NOT NULL,
            job TEXT NOT NULL,                    -- its name then
            due TEXT NOT NULL,
            state TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            holder TEXT NOT NULL DEFAULT '',      -- the process that starts or ends it; a dead one's work is taken over
            session_id TEXT NOT NULL DEFAULT '',
            attempts TEXT NOT NULL DEFAULT '[]',  -- JSON, one of each that has ended
            not_before REAL NOT NULL DEFAULT 0,   -- epoch seconds: when it may be tried again
            by_hand INTEGER NOT NULL DEFAULT 0,   -- 1: a person asked for it now
            leader INTEGER,                       -- the run of a batch that this one is part of
            model TEXT NOT NULL DEFAULT '',
            injected TEXT NOT NULL DEFAULT '[]',
            injected_tokens INTEGER NOT NULL DEFAULT 0,
            saved_tokens INTEGER NOT NULL DEFAULT 0,  -- what its batch spared at the start
            tokens_used INTEGER NOT NULL DEFAULT 0,
            cost_usd REAL NOT NULL DEFAULT 0,
            exit_code INTEGER,
            result TEXT NOT NULL DEFAULT '',
            started_at TEXT,
            ended_at TEXT,
            UNIQUE (job_id, due)
        );
        CREATE INDEX runs_open ON runs(state) WHERE ended_at IS NULL;
        CREATE TABLE inbox (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            level TEXT NOT NULL,                  -- info or alert
            title TEXT NOT NULL,
            text TEXT NOT NULL,
            workspace TEXT NOT NULL,
            run INTEGER,
            read_at TEXT
        );
        CREATE INDEX inbox_unread ON inbox(number) WHERE read_at IS NULL;
        CREATE TABLE deliveries (                 -- where else something is to go, and what became of that
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            run INTEGER NOT NULL,
            way TEXT NOT NULL,
            target TEXT NOT NULL,
            text TEXT NOT NULL,
            workspace TEXT NOT NULL,
            state TEXT NOT NULL,
            why TEXT NOT NULL DEFAULT '',
            holder TEXT NOT NULL DEFAULT '',
            attempts INTEGER NOT NULL DEFAULT 0,
            changed_at TEXT NOT NULL,
            UNIQUE (run, way, target)
        );
        CREATE INDEX deliveries_open ON deliveries(number) WHERE state = 'waiting'
        """,
    ),
    (
        "0032_seen_reports",  # of a report that nobody has looked at, only the time is known
        """
        ALTER TABLE sessions ADD COLUMN seen_report TEXT NOT NULL DEFAULT ''
        """,
    ),
    (
        "0033_brakes",  # what was told of budgets, what programs say of their limits: see store/brakes, store/quotas
        """
        CREATE TABLE budget_marks (               -- what people were told, once for each day or month
            budget TEXT NOT NULL,
            unit TEXT NOT NULL,
            subject TEXT NOT NULL,
            period TEXT NOT NULL,
            level TEXT NOT NULL,
            amount REAL NOT NULL,                 -- the limit then: a raised one is passed anew
            at TEXT NOT NULL,
            PRIMARY KEY (budget, unit, subject, period, level, amount)
        ) WITHOUT ROWID;
        CREATE TABLE quotas (                     -- the newest report of each limit of a program's subscription
            agent TEXT NOT NULL,
            kind TEXT NOT NULL,                   -- five-hour, weekly, weekly-opus
            percent REAL NOT NULL,
            resets_at REAL NOT NULL,              -- epoch seconds; 0 where it was not said
            seconds INTEGER NOT NULL,             -- how long its window is
            seen_at REAL NOT NULL,
            PRIMARY KEY (agent, kind)
        ) WITHOUT ROWID;
        -- when a session that stands at such a limit can go on; '' while it does not
        ALTER TABLE sessions ADD COLUMN limited_until TEXT NOT NULL DEFAULT '';
        -- when a message may be typed, in epoch seconds
        ALTER TABLE sends ADD COLUMN not_before REAL NOT NULL DEFAULT 0
        """,
    ),
    (
        "0033_holds",  # see store/brakes.py
        """
        CREATE TABLE holds (                      -- what is asked aside of sub-agents, and may still need so much
            number INTEGER PRIMARY KEY,
            holder TEXT NOT NULL,                 -- process that asks; a dead one holds nothing
            model TEXT NOT NULL,
            usd REAL NOT NULL,
            tokens REAL NOT NULL
        )
        """,
    ),
    (
        "0034_routing",  # outcomes with ranks, checks, trials; jobs, skills and roles of turns; rows that can't be
        f"""
        ALTER TABLE routes ADD COLUMN why TEXT NOT NULL DEFAULT '';
        CREATE TABLE judged (
            number INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            agent TEXT NOT NULL,
            model TEXT NOT NULL,
            good INTEGER NOT NULL,
            source TEXT NOT NULL,
            rank INTEGER NOT NULL,                -- of its source: the highest of a subject counts
            subject TEXT NOT NULL,                -- the work that was judged: a session's id, or another name for it
            session_id TEXT,
            UNIQUE (subject, source)
        );
        INSERT INTO judged SELECT number, at, kind, agent, model, good, source,
            CASE source WHEN 'person' THEN 5 WHEN 'validator' THEN 4 ELSE 3 END,
            coalesce(session_id, 'outcome ' || number), session_id FROM outcomes;
        DROP TABLE outcomes;
        ALTER TABLE judged RENAME TO outcomes;
        CREATE INDEX outcomes_kind ON outcomes(kind, number);
        CREATE TABLE checks (                     -- what is run when a sub-agent has stopped: is its work good?
            session_id TEXT PRIMARY KEY REFERENCES sessions(id) ON DELETE CASCADE,
            command TEXT NOT NULL,
            exit_code INTEGER,                    -- NULL: it did not come to an end
            said TEXT NOT NULL DEFAULT '',        -- in words, what came of it
            ended_at TEXT
        ) WITHOUT ROWID;
        CREATE INDEX checks_open ON checks(session_id) WHERE ended_at IS NULL;
        CREATE TABLE trials (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            a TEXT NOT NULL,                      -- the model that is tried
            b TEXT NOT NULL,                      -- the one that does the work meanwhile
            sample REAL NOT NULL,
            types TEXT NOT NULL,                  -- JSON; [] for all
            seed TEXT NOT NULL,
            margin REAL NOT NULL,
            pairs INTEGER NOT NULL,
            budget_usd REAL,
            seen INTEGER NOT NULL DEFAULT 0,      -- tasks that could have been taken
            started_at TEXT NOT NULL,
            stopped_at TEXT
        );
        CREATE UNIQUE INDEX trials_running ON trials(stopped_at IS NULL) WHERE stopped_at IS NULL;
        CREATE TABLE trial_pairs (
            session_id TEXT PRIMARY KEY,          -- the sub-agent whose work counts; both rows outlive their sessions
            shadow_id TEXT NOT NULL UNIQUE,
            trial INTEGER NOT NULL REFERENCES trials(number) ON DELETE CASCADE,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            risk TEXT NOT NULL,
            task TEXT NOT NULL,
            state TEXT NOT NULL,                  -- wanted, running, ended, skipped
            why TEXT NOT NULL DEFAULT '',
            holder TEXT NOT NULL DEFAULT '',      -- the process that starts the shadow
            a_usd REAL,
            b_usd REAL
        ) WITHOUT ROWID;
        CREATE INDEX trial_pairs_open ON trial_pairs(trial) WHERE state IN ('wanted', 'running');
        CREATE TABLE session_jobs (               -- which job a session was run for, also where its run was tried again
            session_id TEXT PRIMARY KEY,
            job_id TEXT NOT NULL,
            job TEXT NOT NULL
        ) WITHOUT ROWID;
        INSERT OR IGNORE INTO session_jobs SELECT session_id, job_id, job FROM runs WHERE session_id != '';
        CREATE TRIGGER runs_session AFTER UPDATE OF session_id ON runs WHEN new.session_id != ''
            BEGIN INSERT OR IGNORE INTO session_jobs VALUES (new.session_id, new.job_id, new.job); END;
        -- the end of one is the next prompt: what was used until then is its
        ALTER TABLE skill_invocations ADD COLUMN path TEXT NOT NULL DEFAULT '';
        ALTER TABLE skill_invocations ADD COLUMN call_id TEXT NOT NULL DEFAULT '';
        ALTER TABLE skill_invocations ADD COLUMN ended_at TEXT;
        CREATE UNIQUE INDEX skill_calls ON skill_invocations(path, call_id) WHERE call_id != '';
        CREATE INDEX skill_created ON skill_invocations(created_at);
        CREATE INDEX imported_turns_path ON imported_turns(path, at);
        CREATE TABLE odd_rows (                   -- of a conversation's file: rows with figures or times that can't be
            path TEXT PRIMARY KEY,
            at TEXT NOT NULL,                     -- when they were read last
            rows INTEGER NOT NULL,
            what TEXT NOT NULL
        ) WITHOUT ROWID;
        -- the nested role that made a call, '' of the session's own
        ALTER TABLE turns ADD COLUMN role TEXT
            GENERATED ALWAYS AS (CASE WHEN path LIKE 'role %' THEN substr(path, 6) ELSE '' END) VIRTUAL;
        DROP TRIGGER turns_insert;
        DROP TRIGGER turns_delete;
        DROP TRIGGER turns_update;
        {triggers("turns", "session_id, role, ''")};
        DELETE FROM daily WHERE session_id != '';
        INSERT INTO daily SELECT substr(at, 1, 10), session_id, role, '', model, side, count(*), sum(input),
            sum(cache_write), sum(cache_read), sum(output), coalesce(sum(cost_usd), 0), sum(cost_usd IS NULL)
            FROM turns GROUP BY 1, 2, 3, 5, 6;
        DROP VIEW ledger;
        CREATE VIEW ledger AS
            SELECT t.at, t.session_id, s.type, coalesce(nullif(t.role, ''), s.role) AS role, s.agent, t.model, t.side,
                t.input, t.cache_write, t.cache_read, t.output, t.input + t.cache_write + t.cache_read AS context,
                t.cost_usd, j.job, (SELECT i.skill_name FROM skill_invocations i WHERE i.path = t.path
                    AND t.at > i.created_at AND t.at < coalesce(i.ended_at, '~') ORDER BY i.created_at DESC LIMIT 1)
                    AS skill
            FROM turns t JOIN sessions s ON s.id = t.session_id LEFT JOIN session_jobs j ON j.session_id = s.id
            UNION ALL
            SELECT t.at, NULL, 'main', NULL, t.agent, t.model, t.side, t.input, t.cache_write, t.cache_read, t.output,
                t.input + t.cache_write + t.cache_read, t.cost_usd, NULL, (SELECT i.skill_name
                    FROM skill_invocations i WHERE i.path = t.path AND t.at > i.created_at
                    AND t.at < coalesce(i.ended_at, '~') ORDER BY i.created_at DESC LIMIT 1)
            FROM imported_turns t
        """,
    ),
    (
        "0035_cache_uses",  # how often a result was there already, and what that spared
        """
        CREATE TABLE cache_uses (
            day TEXT NOT NULL,
            name TEXT NOT NULL,                   -- what computes it: role NAME, tool NAME, a Python function
            hits INTEGER NOT NULL,
            misses INTEGER NOT NULL,
            seconds REAL NOT NULL,                -- what computing the hits had taken: time, tokens, dollars
            tokens INTEGER NOT NULL,
            cost_usd REAL NOT NULL,
            PRIMARY KEY (day, name)
        ) WITHOUT ROWID
        """,
    ),
    (
        "0036_told",  # which entries of the inbox the main agent has been told; what is older than this is no news
        """
        ALTER TABLE inbox ADD COLUMN told_at TEXT;
        UPDATE inbox SET told_at = at;
        CREATE INDEX inbox_untold ON inbox(workspace) WHERE told_at IS NULL
        """,
    ),
    (
        "0037_measured",  # what estimates were worth in each conversation, for each model in it: see store/measured.py
        """
        CREATE TABLE measured (
            path TEXT NOT NULL,
            model TEXT NOT NULL,                  -- '' where there was nothing to learn
            size INTEGER NOT NULL,                -- bytes of the file when it was measured
            at REAL NOT NULL,                     -- epoch seconds: when it had changed last
            factor REAL NOT NULL,
            call REAL NOT NULL,
            offset REAL NOT NULL,
            seen INTEGER NOT NULL,
            PRIMARY KEY (path, model)
        ) WITHOUT ROWID
        """,
    ),
)
