package io.countersign.interop;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Counts, and prints a table and the line that a run is judged by. */
final class Report {
    private final Map<String, Map<String, Cell>> rows = new LinkedHashMap<>();
    private final List<String> failures = new ArrayList<>();
    private final Map<String, Integer> leftOut = new TreeMap<>();

    void accepted(String row, String receiver) {
        cell(row, receiver).accepted++;
    }

    void refused(String row, String receiver) {
        cell(row, receiver).refused++;
    }

    void failed(String row, String receiver, String what) {
        cell(row, receiver).failed++;
        failures.add(receiver + ": " + what);
    }

    void leftOut(String row, String receiver, String reason) {
        cell(row, receiver);
        leftOut.merge(receiver + ": " + reason, 1, Integer::sum);
    }

    /** Whether everything passed. */
    boolean print() {
        List<String> receivers = rows.values().stream().flatMap(row -> row.keySet().stream()).distinct().toList();
        System.out.println("signed messages accepted / altered ones refused");
        System.out.printf("%-45s", "");
        receivers.forEach(receiver -> System.out.printf("%22s", receiver));
        System.out.println();
        rows.forEach((name, row) -> {
            System.out.printf("%-45s", name);
            receivers.forEach(receiver -> System.out.printf("%22s", row.getOrDefault(receiver, new Cell())));
            System.out.println();
        });
        leftOut.forEach((reason, count) -> System.out.printf("not known, left out %d times: %s%n", count, reason));
        failures.forEach(failure -> System.out.println("FAILED " + failure));
        int passed = rows.values().stream().flatMap(row -> row.values().stream())
                .mapToInt(cell -> cell.accepted + cell.refused).sum();
        System.out.printf("%n%d passed, %d failed%n", passed, failures.size());
        return failures.isEmpty() && passed > 0;
    }

    private Cell cell(String row, String receiver) {
        return rows.computeIfAbsent(row, key -> new LinkedHashMap<>())
                .computeIfAbsent(receiver, key -> new Cell());
    }

    private static final class Cell {
        private int accepted;
        private int refused;
        private int failed;

        @Override
        public String toString() {
            if (accepted + refused + failed == 0) {
                return "-";
            }
            return accepted + "/" + refused + (failed == 0 ? "" : " (" + failed + " FAILED)");
        }
    }
}
