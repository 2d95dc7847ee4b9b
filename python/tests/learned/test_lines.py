"""Lines of JSON: what ends one, and what is refused."""

import json
from pathlib import Path

import pytest

from assay.export.errors import ExportError
from assay.export.texts import Text, read_texts
from assay.learned.__main__ import main
from assay.learned.errors import LearnedError
from assay.learned.samples import read_rows, read_samples


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\u000b", "\u000c", "\u001c"])
def test_a_line_feed_alone_ends_a_line(tmp_path: Path, sign: str) -> None:
    text = f"a {sign} b"
    content = json.dumps({"text": text}, ensure_ascii=False) + "\r\n\n" + '{"text":"c"}'
    path = written(tmp_path, content.encode())
    assert [(sample.line, sample.text) for sample in read_samples(path)] == [
        (1, Text(text)),
        (3, Text("c")),
    ]
    assert [row["text"] for row in read_rows(path)] == [text, "c"]
    assert read_texts(path) == [Text(text), Text("c")]


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf{"text":"a"}\n')
    assert [sample.text for sample in read_samples(path)] == [Text("a")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text":"caf\xe9"}', "line 2, character 13: the byte E9 is not UTF-8"),
        (b'{"text":"a","label":1,"label":0}', 'line 2: the key "label" occurs twice'),
        (b'{"text":"a","label":NaN}', "line 2: NaN is no number of JSON"),
        (b'{"text":"\\ud800"}', "line 2: holds a lone surrogate"),
        (b'{"text":', "line 2, character 9: Expecting value"),
        (b"[1]", "line 2: expected an object"),
    ],
)
def test_a_line_that_says_something_wrong_is_refused_with_its_place(
    tmp_path: Path, line: bytes, message: str
) -> None:
    path = written(tmp_path, b'{"text":"a"}\n' + line)
    with pytest.raises(LearnedError, match=message):
        read_samples(path)
    with pytest.raises(LearnedError, match=message):
        read_rows(path)
    with pytest.raises(ExportError, match=message):
        read_texts(path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(LearnedError, match=r"nowhere\.jsonl cannot be read: No such file"):
        read_samples(tmp_path / "nowhere.jsonl")


def test_options_are_finite_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "folder", "samples", "--target", "gain", "--scores", "rows"]
    with pytest.raises(SystemExit):
        main([*arguments, "--learning-rate", "nan"])
    assert "nan is no finite number" in capsys.readouterr().err
