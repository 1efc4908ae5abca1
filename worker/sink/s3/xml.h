/*
 * xml.h - reads the small XML answers of S3 without building a tree.
 *
 * A span is a piece of the answer and belongs to it. Name prefixes ("s3:Key") and attributes are passed over; comments,
 * declarations and CDATA are understood; a DTD is not. Truncated or malformed text is -1, never a read beyond the end.
 */
#ifndef SLUICE_SINK_S3_XML_H
#define SLUICE_SINK_S3_XML_H

#include <stddef.h>

#define XML_NAME_MAX 64

typedef struct XmlSpan {
    const char *at;
    const char *end;
} XmlSpan;

XmlSpan xml_span(const char *data, size_t length);
/* The next element of this level: its name and what it encloses; the cursor moves behind it. 1, 0 at the end, -1 malformed. */
int xml_next(XmlSpan *cursor, char name[XML_NAME_MAX], XmlSpan *inner);
/* The first element `name` of this level. 1, 0 where there is none, -1 malformed. */
int xml_find(XmlSpan level, const char *name, XmlSpan *inner);
/* The text of a span, entities decoded, cut to size - 1 bytes (-1 then, as for an unknown entity). */
int xml_text(XmlSpan span, char *ret, size_t size);
/* xml_find and xml_text in one; ret = "" and 0 where there is none. */
int xml_find_text(XmlSpan level, const char *name, char *ret, size_t size);

#endif
