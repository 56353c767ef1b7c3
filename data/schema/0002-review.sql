-- What people decided, from the ledger alone. Rows are added, never changed; the last decision of a coder counts.
CREATE TABLE decisions (
    entry           INTEGER NOT NULL,
    decision        VARCHAR NOT NULL,
    made            VARCHAR NOT NULL,
    coder           VARCHAR NOT NULL,
    role            VARCHAR NOT NULL,
    unit            VARCHAR NOT NULL,
    kind            VARCHAR NOT NULL,
    service         VARCHAR NOT NULL,
    verdict         VARCHAR NOT NULL,
    labels          VARCHAR[] NOT NULL,
    machine         VARCHAR NOT NULL,
    note            VARCHAR NOT NULL,
    sample          VARCHAR NOT NULL,
    revealed        BOOLEAN NOT NULL,
    took_ms         INTEGER NOT NULL,
    codebook_sha256 VARCHAR NOT NULL,
    merged          BOOLEAN NOT NULL
);

CREATE TABLE samples (
    sample          VARCHAR NOT NULL,
    entry           INTEGER NOT NULL,
    made            VARCHAR NOT NULL,
    what            VARCHAR NOT NULL,
    stratified_by   VARCHAR NOT NULL,
    seed            BIGINT NOT NULL,
    size            INTEGER NOT NULL,
    frame_size      INTEGER NOT NULL,
    frame_sha256    VARCHAR NOT NULL,
    double_percent  INTEGER NOT NULL,
    coders          VARCHAR[] NOT NULL,
    analysis        VARCHAR NOT NULL,
    codebook_sha256 VARCHAR NOT NULL
);

CREATE TABLE sample_strata (
    sample  VARCHAR NOT NULL,
    stratum VARCHAR NOT NULL,
    frame   INTEGER NOT NULL,
    drawn   INTEGER NOT NULL
);

-- Which coder codes which unit; "double" units have two rows and are coded blind.
CREATE TABLE assignments (
    sample  VARCHAR NOT NULL,
    place   INTEGER NOT NULL,
    unit    VARCHAR NOT NULL,
    service VARCHAR NOT NULL,
    stratum VARCHAR NOT NULL,
    coder   VARCHAR NOT NULL,
    double  BOOLEAN NOT NULL
);

-- The last decision of each coder on each unit; a withdrawn one is none.
CREATE VIEW decisions_last AS
SELECT * FROM decisions
QUALIFY row_number() OVER (PARTITION BY unit, coder, role ORDER BY made DESC, entry DESC, decision DESC) = 1
    AND verdict <> 'withdrawn';

-- What a reviewer is shown: the same words in the same context at one service, marked the same way, are one unit however
-- many pages repeat them, so that a decision holds for each of them, and for the next visit as well.
CREATE VIEW units AS
SELECT 'R-' || substr(sha256(concat_ws(chr(31), service, page_role, heading, list_intro, passage, code, stance,
                                       quote_start, quote_end)), 1, 12) AS unit,
       flag, service, observation, url, seen, page_role, zone, role, heading, list_intro, passage, code, stance,
       quote_start, quote_end, quote, confidence, rule, raises, sensitive, text_id, ordinal
FROM flags_seen;

CREATE VIEW passage_units AS
SELECT 'P-' || substr(sha256(concat_ws(chr(31), o.service, t.page_role, p.heading, p.list_intro, p.text)), 1, 12) AS unit,
       o.service, o.observation, o.requested_url AS url, o.started AS seen, t.page_role, p.zone, p.role, p.heading,
       p.list_intro, p.text AS passage, p.text_id, p.ordinal, p.lang
FROM passages p
JOIN texts t ON t.text_id = p.text_id
JOIN observation_texts ot ON ot.text_id = p.text_id
JOIN observations o ON o.observation = ot.observation;
