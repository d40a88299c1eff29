"""The content type that an upload is given by its name.

A table of our own rather than the standard library's `mimetypes`: that one reads the system's files, so the same
upload would get different types on different machines and Python versions. What is stored is named as it is: a ``.gz``
file is gzip whatever is inside. A name that says nothing gets no type, and the service stores its default.
"""

from __future__ import annotations

from typing import Final

# IANA's media types registry, and for the rest what browsers and servers agree on.
_BY_SUFFIX: Final[dict[str, str]] = {
    suffix: media_type
    for media_type, suffixes in (
        ("application/avro", "avro"),
        ("application/epub+zip", "epub"),
        ("application/geo+json", "geojson"),
        ("application/gzip", "gz tgz"),
        ("application/java-archive", "jar"),
        ("application/json", "json map"),
        ("application/jsonl", "jsonl ndjson"),
        ("application/ld+json", "jsonld"),
        ("application/manifest+json", "webmanifest"),
        ("application/msword", "doc dot"),
        ("application/pdf", "pdf"),
        ("application/postscript", "ai eps ps"),
        ("application/rss+xml", "rss"),
        ("application/atom+xml", "atom"),
        ("application/rtf", "rtf"),
        ("application/sql", "sql"),
        ("application/toml", "toml"),
        ("application/vnd.apache.arrow.file", "arrow"),
        ("application/vnd.apache.parquet", "parquet"),
        ("application/vnd.android.package-archive", "apk"),
        ("application/vnd.debian.binary-package", "deb"),
        ("application/vnd.ms-excel", "xls xlt"),
        ("application/vnd.ms-fontobject", "eot"),
        ("application/vnd.ms-powerpoint", "pot pps ppt"),
        ("application/vnd.oasis.opendocument.presentation", "odp"),
        ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
        ("application/vnd.oasis.opendocument.text", "odt"),
        ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
        ("application/vnd.rar", "rar"),
        ("application/vnd.sqlite3", "sqlite sqlite3"),
        ("application/wasm", "wasm"),
        ("application/x-7z-compressed", "7z"),
        ("application/x-bzip2", "bz2 tbz2"),
        ("application/x-cpio", "cpio"),
        ("application/x-hdf5", "h5 hdf5"),
        ("application/x-iso9660-image", "iso"),
        ("application/x-ipynb+json", "ipynb"),
        ("application/x-netcdf", "cdf nc"),
        ("application/x-python-code", "pyc"),
        ("application/x-rpm", "rpm"),
        ("application/x-sh", "sh"),
        ("application/x-tar", "tar"),
        ("application/x-xz", "txz xz"),
        ("application/xhtml+xml", "xht xhtml"),
        ("application/xml", "rdf wsdl xml xsd xsl"),
        ("application/yaml", "yaml yml"),
        ("application/zip", "zip"),
        ("application/zstd", "zst"),
        ("audio/aac", "aac"),
        ("audio/flac", "flac"),
        ("audio/midi", "mid midi"),
        ("audio/mp4", "m4a"),
        ("audio/mpeg", "mp2 mp3"),
        ("audio/ogg", "oga ogg opus"),
        ("audio/wav", "wav"),
        ("audio/webm", "weba"),
        ("audio/x-aiff", "aif aifc aiff"),
        ("font/collection", "ttc"),
        ("font/otf", "otf"),
        ("font/ttf", "ttf"),
        ("font/woff", "woff"),
        ("font/woff2", "woff2"),
        ("image/apng", "apng"),
        ("image/avif", "avif"),
        ("image/bmp", "bmp"),
        ("image/gif", "gif"),
        ("image/heic", "heic"),
        ("image/heif", "heif"),
        ("image/jp2", "jp2"),
        ("image/jpeg", "jpe jpeg jpg"),
        ("image/jxl", "jxl"),
        ("image/png", "png"),
        ("image/svg+xml", "svg svgz"),
        ("image/tiff", "tif tiff"),
        ("image/vnd.adobe.photoshop", "psd"),
        ("image/vnd.microsoft.icon", "ico"),
        ("image/webp", "webp"),
        ("image/x-portable-bitmap", "pbm"),
        ("image/x-portable-graymap", "pgm"),
        ("image/x-portable-pixmap", "ppm"),
        ("message/rfc822", "eml mht mhtml"),
        ("model/gltf+json", "gltf"),
        ("model/gltf-binary", "glb"),
        ("model/stl", "stl"),
        ("text/calendar", "ics"),
        ("text/css", "css"),
        ("text/csv", "csv"),
        ("text/html", "htm html"),
        ("text/javascript", "js mjs"),
        ("text/markdown", "markdown md"),
        ("text/plain", "c cc cfg conf cpp go h hpp ini java log rs text txt"),
        ("text/tab-separated-values", "tsv"),
        ("text/vcard", "vcf"),
        ("text/vtt", "vtt"),
        ("text/x-python", "py"),
        ("text/x-rst", "rst"),
        ("video/3gpp", "3gp 3gpp"),
        ("video/mp2t", "m2ts"),
        ("video/mp4", "m4v mp4"),
        ("video/mpeg", "mpeg mpg"),
        ("video/ogg", "ogv"),
        ("video/quicktime", "mov qt"),
        ("video/webm", "webm"),
        ("video/x-matroska", "mkv"),
        ("video/x-msvideo", "avi"),
    )
    for suffix in suffixes.split()
}


def content_type(name: str) -> str:
    """The media type for a file or key of this name, or ``''`` where the name does not say."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    if not dot or not stem:
        return ""
    return _BY_SUFFIX.get(suffix) or _BY_SUFFIX.get(suffix.lower(), "")
