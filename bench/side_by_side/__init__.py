# The parts of bench/compare: daemons, load, process figures, start-up time, report.
