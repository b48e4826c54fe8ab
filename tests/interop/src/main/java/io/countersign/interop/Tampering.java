package io.countersign.interop;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.StringReader;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import javax.xml.namespace.QName;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/** The same message with one byte changed: still well-formed, no longer what was signed. */
final class Tampering {
    private static final Pattern CREATED = Pattern.compile("Created>[^<]*(\\d)Z<");
    private static final Pattern SIGNATURE_VALUE = Pattern.compile("SignatureValue>([A-Za-z0-9+/])");
    private static final Pattern DIGEST_VALUE = Pattern.compile("DigestValue>([A-Za-z0-9+/])");

    private Tampering() {
    }

    /** The altered messages by what was altered; what a message does not have is left out. */
    static Map<String, byte[]> of(byte[] message, QName body) throws XMLStreamException {
        String text = new String(message, UTF_8);
        var altered = new LinkedHashMap<String, byte[]>();
        put(altered, "Body", text, firstCharacterOfText(text, body));
        int signature = text.indexOf(":SignedInfo");
        put(altered, "Timestamp", text, find(CREATED, text, 0));
        put(altered, "digest", text, find(DIGEST_VALUE, text, signature));
        put(altered, "signature value", text, find(SIGNATURE_VALUE, text, signature));
        return altered;
    }

    private static void put(Map<String, byte[]> altered, String what, String text, int position) {
        if (position >= 0) {
            char other = text.charAt(position) == 'A' || text.charAt(position) == '1' ? '2' : '1';
            var copy = new StringBuilder(text);
            copy.setCharAt(position, other);
            altered.put(what, copy.toString().getBytes(UTF_8));
        }
    }

    private static int find(Pattern pattern, String text, int from) {
        Matcher matcher = pattern.matcher(text);
        return matcher.find(Math.max(from, 0)) ? matcher.start(1) : -1;
    }

    /** The first letter or digit of character data in the Body, or -1. */
    private static int firstCharacterOfText(String text, QName body) throws XMLStreamException {
        int mark = text.startsWith("\uFEFF") ? 1 : 0;
        XMLStreamReader reader = XMLInputFactory.newInstance()
                .createXMLStreamReader(new StringReader(text.substring(mark)));
        boolean inBody = false;
        while (reader.hasNext()) {
            reader.next();
            inBody |= reader.isStartElement() && reader.getName().equals(body);
            if (inBody && reader.isCharacters()) {
                int at = reader.getLocation().getCharacterOffset() + mark;
                if (Character.isLetterOrDigit(text.charAt(at)) && text.charAt(at) < 128) {
                    return at;
                }
            }
        }
        return -1;
    }
}
