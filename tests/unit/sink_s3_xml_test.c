/* sink_s3_xml_test.c - answers of S3 are read right, and any cut or damaged one without reading beyond its end. */
#include "check.h"
#include "sink/s3/xml.h"

#include <stdlib.h>

static const char listing[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- of a bucket -->"
                              "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>lake</Name><Prefix/>"
                              "<IsTruncated>true</IsTruncated><Contents note='a>b'><Key>a&amp;b&lt;c&gt;&quot;&apos;&#65;&#xe9;&#x1F600;</Key>"
                              "<Owner><Key>not this one</Key></Owner><Size>12</Size></Contents>"
                              "<s3:Contents><Key><![CDATA[x<y&z]]></Key><Size>3</Size></s3:Contents></ListBucketResult>";

/* Everything that the readers can do, on any bytes: under the sanitizer a read beyond the end is found. */
static int walk(XmlSpan level, int depth)
{
    char name[XML_NAME_MAX];
    char text[64];
    XmlSpan inner;
    int found, count = 0;

    while ((found = xml_next(&level, name, &inner)) > 0) {
        xml_text(inner, text, sizeof text);
        count += 1 + (depth < 5 ? walk(inner, depth + 1) : 0);
    }
    return count;
}

static void test_listing(void)
{
    XmlSpan document = xml_span(listing, sizeof listing - 1);
    char name[XML_NAME_MAX];
    char text[64];
    XmlSpan root, inner;

    check(xml_next(&document, name, &root) == 1 && strcmp(name, "ListBucketResult") == 0, "the root is found behind declaration and comment");
    check(xml_find_text(root, "Name", text, sizeof text) == 0 && strcmp(text, "lake") == 0, "a text is read");
    check(xml_find_text(root, "Prefix", text, sizeof text) == 0 && !text[0], "an empty element is an empty text");
    check(xml_find(root, "Contents", &inner) == 1, "an element with attributes is found");
    xml_find_text(inner, "Key", text, sizeof text);
    check_text(text, "a&b<c>\"'A\xc3\xa9\xf0\x9f\x98\x80", "entities are decoded");
    xml_find_text(inner, "Size", text, sizeof text);
    check_text(text, "12", "an element of the same name further down is not taken");
    check(xml_find(root, "Nothing", &inner) == 0, "an absent element is absent");
    while (xml_next(&root, name, &inner) > 0)
        if (strcmp(name, "Contents") == 0)
            xml_find_text(inner, "Key", text, sizeof text);
    check_text(text, "x<y&z", "CDATA is read, a name's prefix is not part of it");
}

static void test_damage(void)
{
    size_t length = sizeof listing - 1;
    char name[XML_NAME_MAX];
    XmlSpan inner;
    bool all = true;
    unsigned state = 1;

    for (size_t cut = 0; cut < length; cut++) {
        char *copy = malloc(cut + 1); /* of just this size, so that one byte too far is seen */
        XmlSpan span;

        memcpy(copy, listing, cut);
        copy = realloc(copy, cut ? cut : 1);
        span = xml_span(copy, cut);
        all = xml_next(&span, name, &inner) <= 0 && all;
        walk(xml_span(copy, cut), 0);
        free(copy);
    }
    check(all, "a document cut at any byte is no document");
    for (int turn = 0; turn < 20000; turn++) {
        char *copy = malloc(length);

        memcpy(copy, listing, length);
        for (int i = 0; i < 3; i++) {
            state = state * 1103515245 + 12345;
            copy[(state >> 8) % length] = "<>/&;!-[\"'x"[(state >> 3) % 11];
        }
        walk(xml_span(copy, length), 0);
        free(copy);
    }
    check(true, "20000 damaged documents are read within their bounds");
}

static void test_text(void)
{
    char text[4];

    check(xml_text(xml_span("abc", 3), text, sizeof text) == 0 && strcmp(text, "abc") == 0, "a text that just fits");
    check(xml_text(xml_span("abcd", 4), text, sizeof text) < 0, "a text that is too long is told");
    check(xml_text(xml_span("&bad;", 5), text, sizeof text) < 0, "an unknown entity is told");
    check(xml_text(xml_span("&#x;", 4), text, sizeof text) < 0 && xml_text(xml_span("&#1114112;", 10), text, sizeof text) < 0 &&
              xml_text(xml_span("&amp", 4), text, sizeof text) < 0,
          "and so are numbers that are no character");
    check(xml_text(xml_span(NULL, 0), text, sizeof text) == 0 && !text[0], "no text is an empty text");
}

int main(void)
{
    test_listing();
    test_damage();
    test_text();
    return check_end();
}
