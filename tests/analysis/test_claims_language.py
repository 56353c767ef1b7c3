"""Text in another language is said to be unread, never silently scored."""

from __future__ import annotations

import pytest

from analysis.claims import Claims, Reading
from analysis.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("We never store your photos on our servers.", "en"),
        ("Wir speichern die Bilder nicht und löschen sie sofort nach der Bearbeitung.", "de"),
        ("Nous ne gardons pas vos photos et elles sont supprimées après une heure.", "fr"),
        ("No guardamos las fotos y se borran de los servidores en una hora.", "es"),
        ("Мы не храним ваши фотографии на серверах.", "und"),
        ("我们从不保存您的照片", "und"),
        ("100% FREE", "en"),
        ("", "en"),
        ("no need ask person just send picture now", "en"),
    ],
)
def test_the_language_of_a_passage(text: str, language: str) -> None:
    assert language_of(text) == language


def test_foreign_text_gets_no_label(claims: Claims) -> None:
    text = "Wir speichern die Bilder nie, alles ist anonym und gratis, und es ist völlig legal."
    assert next(claims.read([Reading(text, page_role="home")])) == ()
