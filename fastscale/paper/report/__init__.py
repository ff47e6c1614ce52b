"""paper_figures/report.html: all records and reference points in one page that opens from disk.

Python makes the points, ours from records and published ones from CSV files. page.py puts them
into one file with page.html, style.css and the scripts. The scripts are our own: about 40 kB
instead of a plotting library's megabyte, and every mark is a link.
"""

from fastscale.paper.report.page import report_page, write_report

__all__ = ["report_page", "write_report"]
