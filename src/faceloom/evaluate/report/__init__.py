"""What a run's scores say: tables, plots and a page to read, from the records alone."""

from faceloom.evaluate.report.data import Results, Row, gather
from faceloom.evaluate.report.write import write_report

__all__ = ["Results", "Row", "gather", "write_report"]
