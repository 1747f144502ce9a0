// Package inventory says whether a program is expected to talk, to whom and how often, which rule says so, and how
// suspicious it is otherwise. It decodes and validates rules, verifies that a program is what an entry of the catalogue
// means, and grades; packs/inventory/README.md is its documentation for operators.
//
// Authority runs from the rules of the operator over role files to the built-in catalogue. What is merely observed of a
// program (it listens, it has many peers, it has been here long) is a reason code and nothing else: no observation makes a
// program expected or network-facing, or lowers its severity.
//
// It reads rule files and keeps a log of their changes; it examines no process and measures no rhythm. Both are handed in
// as a Subject.
package inventory
