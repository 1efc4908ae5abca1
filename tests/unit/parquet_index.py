"""A Parquet file's footer, page headers and page index, decoded from the specification (apache/parquet-format: parquet.thrift,
PageIndex.md; Thrift's compact protocol), for what readers use and do not show. Values stay as the bytes in the file.
"""
import dataclasses
import math
import struct

BOOLEAN, INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = 0, 1, 2, 4, 5, 6, 7
DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = 0, 2, 3
UNORDERED, ASCENDING, DESCENDING = 0, 1, 2


class Compact:
    """Thrift compact protocol: a struct is a dict by field id."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def take(self, count):
        self.at += count
        assert self.at <= len(self.data), "the data ends early"
        return self.data[self.at - count:self.at]

    def value(self, kind):
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return struct.unpack("<b", self.take(1))[0]
        if kind in (4, 5, 6):
            return self.zigzag()
        if kind == 7:
            return struct.unpack("<d", self.take(8))[0]
        if kind == 8:
            return bytes(self.take(self.varint()))
        if kind == 9:
            return self.list()
        assert kind == 12, f"Thrift type {kind}"
        return self.struct()

    def list(self):
        head = self.take(1)[0]
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self.varint()
        return [self.take(1)[0] == 1 if kind in (1, 2) else self.value(kind) for _ in range(count)]

    def struct(self):
        found, last = {}, 0
        while True:
            head = self.take(1)[0]
            if head == 0:
                return found
            last = last + (head >> 4) if head >> 4 else self.zigzag()
            assert last not in found, f"field {last} twice"
            found[last] = self.value(head & 15)


@dataclasses.dataclass
class Page:
    first_row: int
    rows: int
    header: dict
    null: bool = None       # of the column index
    least: bytes = None
    greatest: bytes = None
    null_count: int = None


@dataclasses.dataclass
class Chunk:
    name: str
    physical: int
    decimal: bool
    meta: dict
    statistics: dict
    pages: list
    boundary_order: int     # None where the column has no column index
    has_column_index: bool


@dataclasses.dataclass
class Group:
    rows: int
    bytes: int
    chunks: list


@dataclasses.dataclass
class File:
    schema: list
    rows: int
    groups: list
    footer: dict


def pages(data, meta, locations, rows):
    found = []
    for i, location in enumerate(locations):
        reader = Compact(data, location[1])
        header = reader.struct()
        assert location[2] == reader.at - location[1] + header[3], "compressed_page_size counts the page and its header"
        end = locations[i + 1][3] if i + 1 < len(locations) else rows
        values = header[5][1] if header[1] == DATA_PAGE else header[8][1]
        assert header[1] in (DATA_PAGE, DATA_PAGE_V2) and values == end - location[3], "a page holds the rows that the offset index says"
        assert i == 0 or locations[i - 1][1] + locations[i - 1][2] == location[1], "pages follow one another"
        found.append(Page(location[3], end - location[3], header))
    assert locations[0][3] == 0 and meta[9] == locations[0][1], "the first page is where data_page_offset says"
    return found


def chunk(data, column, element, rows):
    meta = column[3]
    offset_index = Compact(data, column[4])
    locations = offset_index.struct()[1]
    assert offset_index.at - column[4] == column[5], "offset_index_length"
    found = pages(data, meta, locations, rows)
    start = meta.get(11, meta[9])
    assert locations[-1][1] + locations[-1][2] - start == meta[7], "total_compressed_size is from the first page's header to the last page's end"
    order = None
    if 6 in column:
        reader = Compact(data, column[6])
        index = reader.struct()
        assert reader.at - column[6] == column[7], "column_index_length"
        order = index[4]
        for i, page in enumerate(found):
            page.null, page.least, page.greatest = index[1][i], index[2][i], index[3][i]
            page.null_count = index[5][i] if 5 in index else None
        assert all(len(index[n]) == len(found) for n in (1, 2, 3)), "the column index speaks of every page"
    return Chunk(element[4].decode(), meta[1], element.get(6) == 5, meta, meta.get(12, {}), found, order, 6 in column)


def read(path):
    data = path.read_bytes()
    assert data[:4] == data[-4:] == b"PAR1"
    length = struct.unpack("<I", data[-8:-4])[0]
    reader = Compact(data, len(data) - 8 - length)
    footer = reader.struct()
    assert reader.at == len(data) - 8, "the footer is as long as it says"
    elements = footer[2][1:]
    assert footer[2][0][5] == len(elements) and len(footer[7]) == len(elements), "every column has an order"
    groups = []
    for group in footer[4]:
        chunks = [chunk(data, column, element, group[3]) for column, element in zip(group[1], elements)]
        assert group[2] == sum(c.meta[6] for c in chunks), "total_byte_size of a row group"
        groups.append(Group(group[3], group[2], chunks))
    assert footer[3] == sum(group.rows for group in groups), "num_rows"
    return File(elements, footer[3], groups, footer)


# ---- bounds -------------------------------------------------------------------
def plain(chunk, data):
    """A value of statistics or column index as something that sorts as its column does."""
    if chunk.physical == BOOLEAN:
        return data == b"\1"
    if chunk.physical in (INT32, INT64, FLOAT, DOUBLE):
        return struct.unpack({INT32: "<i", INT64: "<q", FLOAT: "<f", DOUBLE: "<d"}[chunk.physical], data)[0]
    return int.from_bytes(data, "big", signed=True) if chunk.decimal else data


UNRAISED = (b"\xff" * 64, "\U0010ffff".encode() * 16)     # nothing short sorts above what begins so


def bound_problems(chunk, where, values, least, greatest, exact):
    """values: those of the rows, no NULL among them, as `plain` gives them; least, greatest: bytes or None. exact: numbers' bounds must be
    values of the rows; those of a page may be wider."""
    real = [v for v in values if not (isinstance(v, float) and math.isnan(v))]
    if not real:
        return [] if least is None and greatest is None else [f"{where}: bounds without values"]
    if least is None or greatest is None:
        return [] if chunk.physical == BYTE_ARRAY and max(real)[:64] in UNRAISED else [f"{where}: no bounds"]
    low, high = plain(chunk, least), plain(chunk, greatest)
    problems = [] if low <= min(real) and max(real) <= high else [f"{where}: bounds {low!r:.80}, {high!r:.80} do not hold {min(real)!r:.80}, {max(real)!r:.80}"]
    if exact and chunk.physical != BYTE_ARRAY and (low != min(real) or high != max(real)):
        problems.append(f"{where}: bounds {low}, {high} are not the least and greatest value {min(real)}, {max(real)}")
    if isinstance(low, float) and (low == 0 and math.copysign(1, low) > 0 or high == 0 and math.copysign(1, high) < 0):
        problems.append(f"{where}: a bound of zero has the wrong sign")
    if chunk.physical == BYTE_ARRAY and max(len(low), len(high)) > 130:
        problems.append(f"{where}: bounds of {len(low)} and {len(high)} bytes")
    return problems


def chunk_problems(chunk, values):
    """values: of the chunk's rows, None for NULL, as `plain` gives them."""
    problems = []
    some = [v for v in values if v is not None]
    if chunk.statistics.get(3) != len(values) - len(some):
        problems.append(f"{chunk.name}: null_count {chunk.statistics.get(3)}, wanted {len(values) - len(some)}")
    problems += bound_problems(chunk, chunk.name, some, chunk.statistics.get(6), chunk.statistics.get(5), True)
    if not chunk.has_column_index:
        lonely = any(not [v for v in values[p.first_row:p.first_row + p.rows] if v is not None and v == v] for p in chunk.pages)
        return problems + ([] if lonely or chunk.physical == BYTE_ARRAY else [f"{chunk.name}: no column index"])
    for i, page in enumerate(chunk.pages):
        here = [v for v in values[page.first_row:page.first_row + page.rows] if v is not None]
        where = f"{chunk.name}: page {i}"
        if page.null != (not here) or page.null_count != page.rows - len(here):
            problems.append(f"{where}: null page {page.null}, null count {page.null_count}, wanted {page.rows - len(here)} of {page.rows}")
        elif here:
            problems += bound_problems(chunk, where, here, page.least, page.greatest, False)
        elif page.least or page.greatest:
            problems.append(f"{where}: bounds of a page of NULLs")
    bounds = [(plain(chunk, p.least), plain(chunk, p.greatest)) for p in chunk.pages if not p.null]
    if chunk.boundary_order != UNORDERED:
        for side in zip(*bounds):
            if list(side) != sorted(side, reverse=chunk.boundary_order == DESCENDING):
                problems.append(f"{chunk.name}: boundary order {chunk.boundary_order} does not hold")
    return problems
