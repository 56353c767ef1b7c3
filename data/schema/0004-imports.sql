-- What others captured: who, with what, from which record of which file.
ALTER TABLE observations ADD COLUMN provenance JSON;
ALTER TABLE visits ADD COLUMN provenance JSON;

-- One field of one listing or advertisement, as one reader read it from one text. state: present | absent | unparsed.
-- value is the text of a present field; location says where in the stored body it stood, or what was searched, or why not read.
CREATE TABLE listing_fields (
    text_id  VARCHAR NOT NULL,
    reader   VARCHAR NOT NULL,
    platform VARCHAR NOT NULL,
    kind     VARCHAR NOT NULL,
    field    VARCHAR NOT NULL,
    state    VARCHAR NOT NULL,
    ordinal  INTEGER NOT NULL,
    value    VARCHAR NOT NULL,
    location VARCHAR NOT NULL
);

-- A field where it stood, once for every observation. held: its words touch on minors and wait for the named officer.
CREATE VIEW listings AS
SELECT o.service, o.visit, o.observation, o.requested_url AS url, o.started AS seen, o.fetcher,
       l.platform, l.kind, l.field, l.state, l.ordinal, l.value, l.location, l.reader, l.text_id,
       EXISTS (SELECT 1 FROM flags f WHERE f.text_id = l.text_id AND f.sensitive
               AND (contains(l.value, f.quote) OR contains(f.quote, l.value)) AND l.value <> '') AS held
FROM listing_fields l
JOIN observation_texts ot ON ot.text_id = l.text_id
JOIN observations o ON o.observation = ot.observation;
