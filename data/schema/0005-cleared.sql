-- What lists, searches and SQL may show: passages with third parties masked and without the closed queue, and where each of
-- their words stands. Made from texts, passages and flags, and made again whenever those are read anew.

-- Every different wording once. terms is the number of its words.
CREATE TABLE cleared_words (
    words BIGINT NOT NULL,
    text  VARCHAR NOT NULL,
    terms INTEGER NOT NULL
);

-- Where a wording stands; start and end count in the text version, before masking. A passage of the closed queue has no row here.
CREATE TABLE cleared_passages (
    words      BIGINT NOT NULL,
    text_id    VARCHAR NOT NULL,
    ordinal    INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    "end"      INTEGER NOT NULL,
    zone       VARCHAR NOT NULL,
    role       VARCHAR NOT NULL,
    heading    VARCHAR NOT NULL,
    list_intro VARCHAR NOT NULL
);

-- Where the quote of a flag stands in the cleared wording. A flag in the closed queue has no row here.
CREATE TABLE cleared_flags (
    flag        VARCHAR NOT NULL,
    quote_start INTEGER NOT NULL,
    quote_end   INTEGER NOT NULL
);

-- Each word of each wording, folded, with its place in it; sorted, so that a question reads only the words it names.
CREATE TABLE cleared_terms (
    term  VARCHAR NOT NULL,
    words BIGINT NOT NULL,
    place INTEGER NOT NULL
);

-- Which texts were cleared, as read by which analysis.
CREATE TABLE cleared_texts (
    text_id  VARCHAR NOT NULL,
    analysis VARCHAR NOT NULL
);
