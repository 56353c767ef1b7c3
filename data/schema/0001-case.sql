-- The index of a case. Everything here can be made again from evidence/, ledger.jsonl and the codebook.

CREATE TABLE services (
    service  VARCHAR PRIMARY KEY,
    kind     VARCHAR NOT NULL,
    source   VARCHAR NOT NULL,
    stratum  VARCHAR NOT NULL,
    urls     VARCHAR[] NOT NULL,
    kinds    VARCHAR[] NOT NULL
);

CREATE TABLE visits (
    visit        VARCHAR PRIMARY KEY,
    service      VARCHAR NOT NULL,
    started      VARCHAR NOT NULL,
    ended        VARCHAR NOT NULL,
    outcome      VARCHAR NOT NULL,
    reason       VARCHAR NOT NULL,
    observations INTEGER NOT NULL,
    addresses    INTEGER NOT NULL,
    partial      VARCHAR[] NOT NULL,
    resumed      INTEGER NOT NULL,
    environment  VARCHAR NOT NULL,
    policy       JSON NOT NULL,
    head         VARCHAR NOT NULL
);

CREATE TABLE observations (
    observation     VARCHAR PRIMARY KEY,
    visit           VARCHAR NOT NULL,
    service         VARCHAR NOT NULL,
    seq             INTEGER NOT NULL,
    purpose         VARCHAR NOT NULL,
    profile         VARCHAR NOT NULL,
    fetcher         VARCHAR NOT NULL,
    requested_url   VARCHAR NOT NULL,
    started         VARCHAR NOT NULL,
    ended           VARCHAR NOT NULL,
    user_agent      VARCHAR NOT NULL,
    accept_language VARCHAR NOT NULL,
    found_on        VARCHAR NOT NULL,
    depth           INTEGER NOT NULL,
    role            VARCHAR NOT NULL,
    hops            JSON NOT NULL,
    retry_of        VARCHAR NOT NULL,
    via             VARCHAR NOT NULL,
    server_ip       VARCHAR NOT NULL,
    tls             JSON,
    http_version    VARCHAR NOT NULL,
    status          INTEGER,
    status_origin   VARCHAR NOT NULL,
    headers         JSON NOT NULL,
    type_declared   VARCHAR NOT NULL,
    type_sniffed    VARCHAR NOT NULL,
    charset         VARCHAR NOT NULL,
    outcome         VARCHAR NOT NULL,
    reason          VARCHAR NOT NULL,
    rule            VARCHAR NOT NULL,
    redirect_to     VARCHAR NOT NULL,
    redirect_kind   VARCHAR NOT NULL,
    wire_len        BIGINT NOT NULL,
    wire_sha256     VARCHAR NOT NULL,
    stored_as       VARCHAR NOT NULL,
    stored_len      BIGINT NOT NULL,
    stored_sha256   VARCHAR NOT NULL,
    redactions      JSON NOT NULL,
    truncated       VARCHAR NOT NULL,
    rendered_from   VARCHAR NOT NULL,
    page            JSON,
    warc_record     VARCHAR NOT NULL,
    warc_offset     BIGINT NOT NULL,
    warc_length     BIGINT NOT NULL
);

CREATE TABLE addresses (
    visit     VARCHAR NOT NULL,
    url       VARCHAR NOT NULL,
    decision  VARCHAR NOT NULL,
    rule      VARCHAR NOT NULL,
    reason    VARCHAR NOT NULL,
    role      VARCHAR NOT NULL,
    depth     INTEGER NOT NULL,
    found_on  VARCHAR NOT NULL,
    hop_path  VARCHAR[] NOT NULL,
    link_text VARCHAR NOT NULL
);

-- One text as one extractor read it from one stored body in one page role.
CREATE TABLE texts (
    text_id           VARCHAR PRIMARY KEY,
    stored_sha256     VARCHAR NOT NULL,
    extractor         VARCHAR NOT NULL,
    page_role         VARCHAR NOT NULL,
    text_sha256       VARCHAR NOT NULL,
    text              VARCHAR NOT NULL,
    title             VARCHAR NOT NULL,
    h1                VARCHAR NOT NULL,
    lang              VARCHAR NOT NULL,
    media_without_alt INTEGER NOT NULL
);

CREATE TABLE observation_texts (
    observation VARCHAR NOT NULL,
    text_id     VARCHAR NOT NULL
);

CREATE TABLE passages (
    text_id    VARCHAR NOT NULL,
    ordinal    INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    "end"      INTEGER NOT NULL,
    zone       VARCHAR NOT NULL,
    role       VARCHAR NOT NULL,
    heading    VARCHAR NOT NULL,
    list_intro VARCHAR NOT NULL,
    locator    VARCHAR NOT NULL,
    hidden     VARCHAR NOT NULL,
    lang       VARCHAR NOT NULL,
    text       VARCHAR NOT NULL
);

CREATE TABLE analyses (
    analysis        VARCHAR PRIMARY KEY,
    made            VARCHAR NOT NULL,
    extractor       VARCHAR NOT NULL,
    codebook_sha256 VARCHAR NOT NULL,
    model_sha256    VARCHAR NOT NULL
);

-- start and end are offsets into the text version (texts.text), not into the passage.
CREATE TABLE flags (
    flag       VARCHAR PRIMARY KEY,
    text_id    VARCHAR NOT NULL,
    ordinal    INTEGER NOT NULL,
    code       VARCHAR NOT NULL,
    stance     VARCHAR NOT NULL,
    start      INTEGER NOT NULL,
    "end"      INTEGER NOT NULL,
    quote      VARCHAR NOT NULL,
    confidence DOUBLE NOT NULL,
    rule       VARCHAR NOT NULL,
    raises     BOOLEAN NOT NULL,
    sensitive  BOOLEAN NOT NULL,
    analysis   VARCHAR NOT NULL
);

-- Which texts were read by which analysis; a text without a flag is still a text that was read.
CREATE TABLE flags_read (
    text_id  VARCHAR NOT NULL,
    analysis VARCHAR NOT NULL
);

-- A flag where it stood: one row for every observation whose text holds it.
CREATE VIEW flags_seen AS
SELECT f.flag, o.service, o.visit, o.observation, o.requested_url AS url, o.started AS seen, t.page_role,
       f.code, f.stance, f.quote, f.confidence, f.rule, f.raises, f.sensitive, p.zone, p.role, p.heading, p.list_intro,
       p.text AS passage, f.start - p.start AS quote_start, f."end" - p.start AS quote_end, p.locator, p.hidden,
       f.text_id, f.ordinal, f.start, f."end", t.text_sha256, o.stored_sha256, o.fetcher
FROM flags f
JOIN passages p ON p.text_id = f.text_id AND p.ordinal = f.ordinal
JOIN texts t ON t.text_id = f.text_id
JOIN observation_texts ot ON ot.text_id = f.text_id
JOIN observations o ON o.observation = ot.observation;

-- Every address of a visit with the last decision on it; a candidate that was attempted is fetched.
CREATE VIEW addresses_decided AS
WITH last AS (
    SELECT visit, url, last(decision) AS decision, last(rule) AS rule, last(reason) AS reason, last(role) AS role,
           min(depth) AS depth, first(found_on) AS found_on
    FROM (SELECT *, rowid AS n FROM addresses ORDER BY n)
    GROUP BY visit, url
)
SELECT l.visit, l.url,
       CASE WHEN l.decision = 'candidate' THEN 'fetched' ELSE l.decision END AS decision,
       l.rule, l.reason, l.role, l.depth, l.found_on
FROM last l;
