-- What only several passages, pages, visits or services show. Derived like flags: made again by the analysis at any time.

CREATE TABLE findings (
    finding        VARCHAR PRIMARY KEY,
    kind           VARCHAR NOT NULL,
    rule           VARCHAR NOT NULL,
    rules_version  VARCHAR NOT NULL,
    services       VARCHAR[] NOT NULL,
    codes          VARCHAR[] NOT NULL,
    status         VARCHAR NOT NULL,
    strength       VARCHAR NOT NULL,
    title          VARCHAR NOT NULL,
    reason         VARCHAR NOT NULL,
    details        VARCHAR NOT NULL,
    sensitive      BOOLEAN NOT NULL,
    content_sha256 VARCHAR NOT NULL,
    analysis       VARCHAR NOT NULL,
    about          VARCHAR NOT NULL
);

-- Both (or all) sides of a finding. quote is text[start:end] of the text version; start is -1 where nothing is quoted.
CREATE TABLE finding_sides (
    finding          VARCHAR NOT NULL,
    number           INTEGER NOT NULL,
    part             VARCHAR NOT NULL,
    service          VARCHAR NOT NULL,
    visit            VARCHAR NOT NULL,
    observation      VARCHAR NOT NULL,
    seen             VARCHAR NOT NULL,
    last_observation VARCHAR NOT NULL,
    last_seen        VARCHAR NOT NULL,
    url              VARCHAR NOT NULL,
    page_role        VARCHAR NOT NULL,
    text_id          VARCHAR NOT NULL,
    ordinal          INTEGER NOT NULL,
    start            INTEGER NOT NULL,
    "end"            INTEGER NOT NULL,
    quote            VARCHAR NOT NULL,
    says             VARCHAR NOT NULL,
    flags            VARCHAR[] NOT NULL,
    text_sha256      VARCHAR NOT NULL,
    stored_sha256    VARCHAR NOT NULL
);

-- The search log of an absence: each page that was read, and each that was known of and not reached.
CREATE TABLE finding_searches (
    finding     VARCHAR NOT NULL,
    service     VARCHAR NOT NULL,
    url         VARCHAR NOT NULL,
    reached     BOOLEAN NOT NULL,
    page_role   VARCHAR NOT NULL,
    observation VARCHAR NOT NULL,
    seen        VARCHAR NOT NULL,
    outcome     VARCHAR NOT NULL,
    reason      VARCHAR NOT NULL
);

-- What two services share; an edge is the sum of its links.
CREATE TABLE operator_links (
    link     VARCHAR PRIMARY KEY,
    a        VARCHAR NOT NULL,
    b        VARCHAR NOT NULL,
    kind     VARCHAR NOT NULL,
    value    VARCHAR NOT NULL,
    weight   DOUBLE NOT NULL,
    holders  INTEGER NOT NULL,
    unrelated DOUBLE NOT NULL,
    reason   VARCHAR NOT NULL
);

CREATE TABLE operator_edges (
    edge     VARCHAR PRIMARY KEY,
    a        VARCHAR NOT NULL,
    b        VARCHAR NOT NULL,
    weight   DOUBLE NOT NULL,
    strength VARCHAR NOT NULL,
    decided  VARCHAR NOT NULL,
    joins    BOOLEAN NOT NULL,
    reason   VARCHAR NOT NULL
);

CREATE TABLE operator_clusters (
    cluster VARCHAR NOT NULL,
    service VARCHAR NOT NULL
);

-- What differs between two visits, passage by passage; no re-analysis makes a row here.
CREATE TABLE changes (
    change     VARCHAR PRIMARY KEY,
    service    VARCHAR NOT NULL,
    kind       VARCHAR NOT NULL,
    url        VARCHAR NOT NULL,
    from_visit VARCHAR NOT NULL,
    to_visit   VARCHAR NOT NULL,
    from_seen  VARCHAR NOT NULL,
    to_seen    VARCHAR NOT NULL,
    from_observation VARCHAR NOT NULL,
    to_observation   VARCHAR NOT NULL,
    before     VARCHAR NOT NULL,
    after      VARCHAR NOT NULL,
    context    VARCHAR NOT NULL,
    codes      VARCHAR[] NOT NULL,
    flags      VARCHAR[] NOT NULL,
    detail     VARCHAR NOT NULL
);

-- Which state of a service's evidence its findings were made from.
CREATE TABLE findings_made (
    service VARCHAR PRIMARY KEY,
    made_of VARCHAR NOT NULL
);

-- A side with the passage around it.
CREATE VIEW finding_sides_read AS
SELECT s.*, f.kind, f.rule, f.status, f.strength, f.title, f.reason, f.codes, f.sensitive,
       p.text AS passage, p.zone, p.heading, p.list_intro, s.start - p.start AS quote_start, s."end" - p.start AS quote_end
FROM finding_sides s
JOIN findings f ON f.finding = s.finding
LEFT JOIN passages p ON p.text_id = s.text_id AND p.ordinal = s.ordinal;
