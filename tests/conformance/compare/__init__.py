"""What the conformance tests share: cases, both programs, and the comparison of their outcomes."""
