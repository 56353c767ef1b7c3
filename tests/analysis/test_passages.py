"""What becomes of a page's text: every piece a consumer could read is a passage, with its place."""

from __future__ import annotations

import pytest

from analysis.passages import EXTRACTOR, MAX_PASSAGE, Passage, TextVersion, extract


def texts(version: TextVersion, **where: str) -> list[str]:
    """The texts of the passages whose fields have the given values."""
    return [
        version.text[passage.start : passage.end]
        for passage in version.passages
        if all(getattr(passage, name) == value for name, value in where.items())
    ]


def one(version: TextVersion, text: str) -> Passage:
    """The one passage with this text."""
    found = [passage for passage in version.passages if version.text[passage.start : passage.end] == text]
    assert len(found) == 1, texts(version)
    return found[0]


def test_a_price_is_found_wherever_it_stands() -> None:
    places = {
        "header": "<header>{}</header>",
        "nav": "<nav>{}</nav>",
        "footer": "<footer>{}</footer>",
        "aside": "<aside>{}</aside>",
        "form": "<form><label>{}</label></form>",
        "dialog": "<dialog>{}</dialog>",
        "banner": '<div id="cookie-consent-banner">{}</div>',
        "iframe": '<iframe srcdoc="<p>{}</p>"></iframe>',
        "noscript": "<noscript><p>{}</p></noscript>",
        "template": "<template><p>{}</p></template>",
        "table": "<table><tr><td>{}</td></tr></table>",
        "alt": '<img src="a" alt="{}">',
        "aria": '<button aria-label="{}"></button>',
        "main": '<input placeholder="{}">',
        "title": '<a href="#" title="{}">x</a>',
        "meta": '<meta name="description" content="{}">',
        "jsonld": '<script type="application/ld+json">{{"@type": "Product", "description": "{}"}}</script>',
        "script_text": '<script type="application/json">{{"text": "{}"}}</script>',
    }
    price = "Renews at $9.99 a week."
    for zone, markup in places.items():
        version = extract(f"<html><head></head><body>{markup.format(price)}")
        assert price in texts(version, zone=zone), zone


@pytest.mark.parametrize(
    ("markup", "role"),
    [
        ("<h3>Text</h3>", "heading"),
        ("<p>Text</p>", "paragraph"),
        ("<ul><li>Text</ul>", "list_item"),
        ("<table><tr><td>Text", "cell"),
        ("<table><tr><th>Text", "header_cell"),
        ("<label>Text</label>", "label"),
        ("<button>Text</button>", "button"),
        ('<input type="submit" value="Text">', "button"),
        ('<input value="Text">', "value"),
        ('<input placeholder="Text">', "placeholder"),
        ('<a href="#">Text</a>', "link"),
        ("<select><option>Text</select>", "option"),
        ('<select><option label="Text" value="7"></option></select>', "option"),
        ("<blockquote><p>Text</blockquote>", "quote"),
        ("<figure><figcaption>Text</figcaption></figure>", "caption"),
        ("<fieldset><legend>Text</legend></fieldset>", "legend"),
        ("<details><summary>Text</summary></details>", "summary"),
        ("<dl><dt>Text</dl>", "term"),
        ("<dl><dd>Text</dl>", "definition"),
        ('<div role="heading" aria-level="2">Text</div>', "heading"),
        ("<textarea>Text</textarea>", "value"),
    ],
)
def test_a_passage_has_the_role_of_its_element(markup: str, role: str) -> None:
    assert one(extract(markup), "Text").role == role


def test_text_split_over_inline_tags_is_one_passage_without_spaces() -> None:
    version = extract("<p>un<b>limit</b>ed <i>free</i> <u>use</u>")
    assert texts(version) == ["unlimited free use"]


def test_whole_elements_that_touch_are_set_apart_where_a_capital_begins_the_second() -> None:
    version = extract(
        "<p><span>Now $34.99</span><span>Original price: $49</span><s>Save $15</s><p><b>un</b><i>limited</i>"
    )
    assert texts(version) == ["Now $34.99 Original price: $49 Save $15", "unlimited"]


def test_a_hidden_inline_piece_does_not_part_the_word_it_stands_in() -> None:
    version = extract('<p>un<span style="display:none">zzz</span>limited')
    assert texts(version) == ["unlimited", "zzz"]
    assert [passage.hidden for passage in version.passages] == ["", "style"]


def test_blocks_and_two_line_breaks_separate_and_one_line_break_does_not() -> None:
    version = extract("<div>a<p>b</p>c<br>d<br><br>e<br> <br>f<hr>g</div>")
    assert texts(version) == ["a", "b", "c d", "e", "f", "g"]


def test_a_line_break_before_a_bullet_separates() -> None:
    assert texts(extract("<p>You may not:<br>- resell<br>- copy</p>")) == ["You may not:", "- resell", "- copy"]


def test_a_block_that_a_style_makes_inline_does_not_separate() -> None:
    assert texts(extract('<p></p>un<div style="display: inline">limit</div>ed')) == ["unlimited"]


def test_white_space_collapses_and_invisible_characters_stay() -> None:
    version = extract("<p>  no \n\t log&nbsp; in  \u200bfor&shy;ever ")
    assert texts(version) == ["no log in \u200bfor\u00adever"]


def test_links_side_by_side_are_a_passage_each_and_links_in_a_sentence_are_not() -> None:
    version = extract(
        '<nav><a href="/a">Home</a><a href="/b">Prices</a></nav><p>See <a href="/c">terms</a> <a>here</a>.'
    )
    assert texts(version) == ["Home", "Prices", "See terms here."]
    assert one(version, "Prices").locator == "html>body>nav>a:nth-of-type(2)"


def test_a_chosen_option_is_not_read_twice() -> None:
    version = extract(
        "<select><button><selectedcontent></selectedcontent></button><option selected>One</option></select>"
    )
    assert texts(version) == ["One"]


def test_the_same_text_in_two_places_is_two_passages() -> None:
    assert len(texts(extract("<p>Free</p><footer>Free</footer>"))) == 2


def test_headings_nest_and_end_with_the_next_of_their_level() -> None:
    version = extract("<h1>A</h1><p>1<h2>B</h2><p>2<h3>C</h3><p>3<h2>D</h2><p>4<h1>E</h1><p>5")
    found = {version.text[p.start : p.end]: p.heading for p in version.passages if p.role == "paragraph"}
    assert found == {"1": "A", "2": "A > B", "3": "A > B > C", "4": "A > D", "5": "E"}


def test_a_heading_in_a_section_ends_with_it() -> None:
    version = extract("<h1>A</h1><section><h2>B</h2><p>in</section><p>after")
    assert one(version, "in").heading == "A > B"
    assert one(version, "after").heading == "A"


def test_a_section_that_is_only_a_heading_titles_the_next() -> None:
    version = extract("<section><h2>Prohibited uses</h2></section><section><p>Pictures of others</p></section>")
    assert one(version, "Pictures of others").heading == "Prohibited uses"


def test_headings_do_not_reach_into_footer_nav_or_dialog() -> None:
    version = extract("<h1>A</h1><nav>n</nav><dialog>d</dialog><footer>f</footer><p>m")
    assert {zone: p.heading for p in version.passages for zone in [p.zone] if p.role != "heading"} == {
        "nav": "",
        "dialog": "",
        "footer": "",
        "main": "A",
    }


@pytest.mark.parametrize(
    "markup",
    [
        "<details><summary>Is it free?</summary>Yes, it is.</details>",
        "<dl><dt>Is it free?</dt><dd>Yes, it is.</dd></dl>",
        "<h4>Is it free?</h4><p>Yes, it is.",
        "<p><strong>Is it free?</strong></p><p>Yes, it is.",
        '<button aria-expanded="false">Is it free?</button><div>Yes, it is.</div>',
        "<div class='q'>Is it free?</div><div class='a'>Yes, it is.</div>",
        """<script type="application/ld+json">{"@type": "FAQPage", "mainEntity": [{"@type": "Question",
        "name": "Is it free?", "acceptedAnswer": {"@type": "Answer", "text": "<p>Yes, it is.</p>"}}]}</script>""",
    ],
)
def test_an_answer_has_its_question_as_heading(markup: str) -> None:
    version = extract(markup)
    assert one(version, "Yes, it is.").heading == "Is it free?"


def test_a_question_ends_with_its_details() -> None:
    version = extract("<h2>FAQ</h2><details><summary>Is it free?</summary>Yes.</details><p>More below.")
    assert one(version, "More below.").heading == "FAQ"


def test_a_list_has_the_line_before_it_as_introduction() -> None:
    version = extract(
        "<p>You may not:</p><ul><li>resell</li><li>copy, such as<ul><li>print</li></ul></li></ul><p>Else fine"
    )
    assert one(version, "resell").list_intro == "You may not:"
    assert one(version, "print").list_intro == "You may not:"
    assert one(version, "Else fine").list_intro == ""


def test_nested_introductions_are_joined() -> None:
    version = extract("<p>You may not:</p><ul><li>upload, in particular:<ul><li>maps</li></ul></li><li>share</li></ul>")
    assert one(version, "maps").list_intro == "You may not: > upload, in particular:"
    assert one(version, "share").list_intro == "You may not:"


def test_a_heading_introduces_the_list_right_after_it_and_a_sentence_does_not() -> None:
    version = extract("<h3>Prohibited uses</h3><ul><li>a</li></ul><p>We like lists.</p><ul><li>b</li></ul>")
    assert one(version, "a").list_intro == "Prohibited uses"
    assert one(version, "b").list_intro == ""


def test_enumerated_paragraphs_have_an_introduction_too() -> None:
    version = extract("<p>You agree not to:</p><p>(a) resell;</p><p>(b) copy.</p><p>Thank you.</p>")
    assert one(version, "(b) copy.").list_intro == "You agree not to:"
    assert one(version, "Thank you.").list_intro == ""


def test_a_cell_has_its_column_and_row_headers_in_its_heading() -> None:
    version = extract(
        """<h2>Prices</h2><table><thead><tr><th></th><th>Basic</th><th>Pro</th></tr></thead>
        <tr><th>Week</th><td>$1</td><td>$2</td></tr><tr><td>Year</td><td>$10</td><td>$20</td></tr></table>"""
    )
    assert one(version, "$2").heading == "Prices > Pro > Week"
    assert one(version, "$10").heading == "Prices > Basic > Year"


def test_cell_headers_follow_spans() -> None:
    version = extract(
        """<table><tr><th rowspan=2>Plan</th><th colspan=2>Price</th></tr><tr><th>Week</th><th>Year</th></tr>
        <tr><td>Pro</td><td>$2</td><td>$20</td></tr></table>"""
    )
    assert one(version, "$2").heading == "Price Week > Pro"
    assert one(version, "$20").heading == "Price Year > Pro"


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("<p hidden>Text</p>", "attr"),
        ('<p style="display: none">Text</p>', "style"),
        ('<p style="VISIBILITY:hidden">Text</p>', "style"),
        ('<p style="font-size:0">Text</p>', "style"),
        ('<p style="position:absolute;left:-9999px">Text</p>', "style"),
        ('<p aria-hidden="true">Text</p>', "aria"),
        ('<div hidden><section><p style="color:red">Text</p></section></div>', "attr"),
        ('<p style="opacity:0.5;font-size:10px">Text</p>', ""),
    ],
)
def test_what_the_markup_hides_is_kept_and_marked(markup: str, reason: str) -> None:
    assert one(extract(markup), "Text").hidden == reason


def test_language_is_the_nearest_lang_attribute() -> None:
    version = extract('<html lang="en"><body><p>one</p><p lang="de">zwei</p>')
    assert (version.lang, one(version, "one").lang, one(version, "zwei").lang) == ("en", "en", "de")


def test_title_first_heading_and_images_without_alternative_are_told() -> None:
    version = extract('<title>The  page</title><h1 hidden>No</h1><h1>Yes</h1><img src=a><img alt=""><img alt="x">')
    assert (version.title, version.h1, version.media_without_alt) == ("The page", "Yes", 2)
    assert version.extractor == EXTRACTOR


def test_zones_come_from_roles_and_plain_names_too() -> None:
    version = extract('<div role="navigation">n</div><div class="site-footer">f</div><div id="header">h</div>')
    assert [passage.zone for passage in version.passages] == ["nav", "footer", "header"]


def test_a_header_inside_an_article_is_not_the_page_header() -> None:
    assert one(extract("<article><header><p>Text</header></article>"), "Text").zone == "main"


def test_a_form_around_the_whole_page_is_no_form_zone() -> None:
    version = extract("<form><nav>n</nav><h1>h</h1><p>Text</p></form>")
    assert one(version, "Text").zone == "main"


def test_a_declarative_shadow_root_is_read_as_part_of_the_page() -> None:
    version = extract("<footer><x-a><template shadowrootmode=open><p>Text</p></template></x-a></footer>")
    assert one(version, "Text").zone == "footer"


def test_text_of_frames_in_frames_is_found_with_its_frame_path() -> None:
    version = extract('<iframe srcdoc="<iframe srcdoc=&quot;<p>Text&quot;></iframe>"></iframe>')
    assert one(version, "Text").locator == "html>body>iframe>>>html>body>iframe>>>html>body>p"


def test_a_script_rendered_page_gives_its_sentences_and_no_code() -> None:
    version = extract(
        """<script id="__NEXT_DATA__" type="application/json">{"props": {"cls": "flex items-center", "text":
        "Delete your pictures at any time.", "query": "{ user { id } }", "url": "https://a.example/b c"}}</script>
        <script>window.__INITIAL_STATE__ = {"a": {"b": "No account is needed."}};</script>
        <script>var message = "not a state of the page";</script>"""
    )
    assert texts(version, zone="script_text") == ["Delete your pictures at any time.", "No account is needed."]


def test_structured_data_tells_offer_review_and_product() -> None:
    version = extract(
        """<script type="application/ld+json">{"@context": "https://schema.example", "@type": "Product",
        "name": "Tool", "offers": {"@type": "Offer", "price": "9.99", "priceCurrency": "USD", "url": "https://a.example"},
        "review": {"@type": "Review", "reviewBody": "Works well.", "reviewRating": {"ratingValue": 5}}}</script>"""
    )
    assert texts(version) == ["Tool", "9.99 USD", "Works well.", "5"]
    assert one(version, "9.99 USD").heading == "Tool"
    assert one(version, "9.99 USD").locator.endswith("script#/offers/price")


def test_broken_structured_data_still_gives_its_sentences() -> None:
    version = extract('<script type="application/ld+json">{"name": "Tool", "text": "Nothing is stored.",}</script>')
    assert texts(version) == ["Nothing is stored."]


def test_a_very_long_passage_is_split_at_sentence_ends() -> None:
    version = extract("<p>" + "Nothing is stored here. " * 1_000)
    assert len(version.passages) > 5
    for passage in version.passages:
        assert passage.end - passage.start <= MAX_PASSAGE
        assert version.text[passage.start : passage.end].endswith("here.")


def test_a_text_without_any_space_is_split_and_nothing_is_lost() -> None:
    version = extract("x" * 9_000)
    assert "".join(texts(version)) == "x" * 9_000


def test_terms_in_a_text_area_are_paragraphs_and_list_items() -> None:
    version = extract("<textarea>Terms\n\nYou may not:\n- resell\n- copy\nanything\n</textarea>")
    assert texts(version) == ["Terms", "You may not:", "- resell", "- copy anything"]
    assert one(version, "- resell").list_intro == "You may not:"


def test_plain_text_is_paragraphs_by_blank_lines() -> None:
    version = extract("One\nline.\n\nYou agree not to:\n 1. resell\n 2. copy", content_type="text/plain; charset=utf-8")
    assert texts(version) == ["One line.", "You agree not to:", "1. resell", "2. copy"]
    assert [p.locator for p in version.passages] == ["line(1)", "line(4)", "line(5)", "line(6)"]
    assert one(version, "2. copy").list_intro == "You agree not to:"


def test_json_gives_its_strings_with_pointers() -> None:
    version = extract(
        '{"a/b": [{"t": "Free"}, 3, "https://a.example/x"], "c": "<b>No</b> log"}', content_type="application/json"
    )
    assert [(version.text[p.start : p.end], p.locator) for p in version.passages] == [
        ("Free", "#/a~1b/0/t"),
        ("No log", "#/c"),
    ]


def test_a_feed_gives_titles_and_the_text_of_escaped_descriptions() -> None:
    version = extract(
        """<?xml version="1.0" encoding="latin1"?><rss><channel><title>News</title><item><title>Prices</title>
        <link>https://a.example/1</link><description>&lt;p&gt;Now &lt;b&gt;free&lt;/b&gt;.&lt;/p&gt;</description></item>
        <item><title>Second</title><description><![CDATA[<p>Plain & simple</p>]]></description></item></channel></rss>""",
        content_type="application/rss+xml",
    )
    assert texts(version) == ["News", "Prices", "Now free.", "Second", "Plain & simple"]
    assert one(version, "Now free.").heading == "Prices"
    assert one(version, "Plain & simple").locator == "/rss/channel/item[2]/description>>>html>body>p"


def test_xml_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "boom"><!ENTITY c "&b;&b;&b;&b;"><!ENTITY f SYSTEM "file:///etc/hostname">]><a>&c;&f;x</a>'
    version = extract(bomb, content_type="text/xml")
    assert "boomboom" not in version.text
    assert "x" in version.text


def test_a_body_of_unknown_type_is_read_by_its_first_character() -> None:
    assert texts(extract(" <p>a<p>b", content_type="")) == ["a", "b"]
    assert texts(extract("a < b", content_type="")) == ["a < b"]
