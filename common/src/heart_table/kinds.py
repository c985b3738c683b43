"""What a file is, by its first bytes: files that are no table of text are named for what they are, with the way out."""

import re

from heart_table.errors import UnreadableFile

HEAD_BYTES = 1 << 18
"""Bytes from the start of a file by which its kind and layout are detected."""
SAVE_AS_CSV = "open it there and save it as CSV (UTF-8)"
PANDAS = "convert it with pandas"

MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a Parquet file", "set dataset.format to parquet"),
    (b"ARROW1", "an Arrow (Feather) file", f"{PANDAS}: read_feather(…).to_parquet(…)"),
    (b"ORC", "an ORC file", f"{PANDAS}: read_orc(…).to_parquet(…)"),
    (b"Obj\x01", "an Avro file", "convert it to Parquet or CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind (.xls)", SAVE_AS_CSV),
    (b"BZh", "a bzip2 archive", "unpack it with bunzip2, or pack it with gzip or zstd"),
    (b"\xfd7zXZ", "an xz archive", "unpack it with unxz, or pack it with gzip or zstd"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"{\\rtf", "a Rich Text document", "save it as plain text"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"\x89HDF", "an HDF5 file", f"{PANDAS}: read_hdf(…).to_parquet(…)"),
    (b"$FL2", "an SPSS file", f"{PANDAS}: read_spss(…).to_parquet(…)"),
    (b"$FL3", "an SPSS file", f"{PANDAS}: read_spss(…).to_parquet(…)"),
    (b"HEADER RECORD*******", "a SAS transport file (.xpt)", f"{PANDAS}: read_sas(…).to_parquet(…)"),
    (b"<stata_dta>", "a Stata file", f"{PANDAS}: read_stata(…).to_parquet(…)"),
    (b"RDX", "an R data file", "write it in R with write.csv(…, row.names = FALSE)"),
    (b"RDA", "an R data file", "write it in R with write.csv(…, row.names = FALSE)"),
    (b"\x93NUMPY", "a NumPy file", "write it as CSV or Parquet"),
    (b"\x80\x02", "a Python pickle", "pickles are never opened: write it as CSV or Parquet"),
    (b"\x80\x03", "a Python pickle", "pickles are never opened: write it as CSV or Parquet"),
    (b"\x80\x04", "a Python pickle", "pickles are never opened: write it as CSV or Parquet"),
    (b"\x80\x05", "a Python pickle", "pickles are never opened: write it as CSV or Parquet"),
    (b"\x04\x22\x4d\x18", "an LZ4 archive", "unpack it with unlz4, or pack it with gzip or zstd"),
    (b"\x1f\x9d", "an archive of compress (.Z)", "unpack it with uncompress"),
    (b"\x1f\x8b", "packed twice with gzip", "unpack it once with gunzip"),
    (b"ASCII SPSS PORT FILE", "an SPSS portable file (.por)", "save it as CSV in SPSS"),
    (b"X\n\0\0\0", "an R data file (.rds)", "write it in R with write.csv(…, row.names = FALSE)"),
    (b"MATLAB 5.0", "a MATLAB file", "write it with writetable(…, 'table.csv')"),
    (b"\0\1\0\0Standard ", "an Access database", "export the table as CSV"),
    (b"\x89PNG", "a picture", "name the file with the table"),
    (b"\xff\xd8\xff", "a picture", "name the file with the table"),
)
TEXTS: tuple[tuple[str, str, str], ...] = (
    (
        r"version https://git-lfs\.github\.com/spec/",
        "a Git LFS pointer, not the file that it stands for",
        "fetch the file itself (git lfs pull; on GitHub the address begins with https://media.githubusercontent.com/media)",
    ),
    (
        r"(<!--.*?-->\s*)?<(!doctype html|html|head|body)\b",
        "an HTML page, not the file itself",
        "use the address of the raw file (on GitHub: Raw, raw.githubusercontent.com); a page may also require a login",
    ),
    (r"<\?xml|<[A-Za-z][\w:.-]*[ >]", "an XML document", "export the table as CSV"),
    (
        r"(%[^\n]*\n\s*)*@relation\b",
        "an ARFF file (Weka)",
        "save it as CSV, or set dataset.columns, csv.comment: '%' and csv.skipRows to the lines up to @data",
    ),
    (r"\{\s*\"|\{\s*\}|\[\s*[\{\[]", "JSON", f"{PANDAS}: read_json(…).to_csv(…, index=False)"),
    (r"%PDF|PK\x03\x04", "no text", "name the file with the table"),
    (r"\{\\rtf", "a Rich Text document", "save it as plain text"),
    (
        r"[+-]?\d+(\.\d+)?( +\d+:[^ \n]+){2,} *\n",
        "in LIBSVM's format",
        "convert it with scikit-learn: load_svmlight_file(…), and write its columns as CSV",
    ),
    (r"\|[^\n]*\|[ \t]*\r?\n\|[ :|-]+\|", "a table in Markdown", "save it as CSV"),
)
SAS = bytes.fromhex("c2ea8160b31411cfbd92080009c7318c")
"""From the thirteenth byte of a .sas7bdat file on."""
STATA = re.compile(rb"[\x69-\x77][\x01\x02]\x01\x00")
GZIP, ZSTD, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"


def reject_other_kinds(head: bytes) -> None:
    """Raises UnreadableFile where the bytes (unpacked) begin like something that is no table of text."""
    if head.startswith(b"PK\x03\x04"):
        raise UnreadableFile(_zip(head))
    for magic, name, way_out in MAGIC:
        if head.startswith(magic):
            raise UnreadableFile(f"The file is {name}: {way_out}.")
    if len(head) > 262 and head[257:262] == b"ustar":
        raise UnreadableFile("The file is a tar archive: unpack it first.")
    if head[12:].startswith(SAS):
        raise UnreadableFile(f"The file is a SAS file (.sas7bdat): {PANDAS}: read_sas(…).to_parquet(…).")
    if STATA.match(head):
        raise UnreadableFile(f"The file is a Stata file: {PANDAS}: read_stata(…).to_parquet(…).")


def reject_other_texts(text: str) -> None:
    """Raises UnreadableFile where the text begins like a page or a document."""
    begin = text[:4096].lstrip("\ufeff \t\r\n")
    for pattern, name, way_out in TEXTS:
        if re.match(pattern, begin, re.I | re.S):
            raise UnreadableFile(f"The file is {name}: {way_out}.")


def _zip(head: bytes) -> str:
    if b"xl/" in head or b"[Content_Types].xml" in head:
        return f"The file is an Excel workbook (.xlsx): {SAVE_AS_CSV}."
    if b"opendocument.spreadsheet" in head:
        return f"The file is an OpenDocument spreadsheet (.ods): {SAVE_AS_CSV}."
    return "The file is a zip archive: unpack it, and name the file in it (.csv.gz and .csv.zst are read as they are)."
