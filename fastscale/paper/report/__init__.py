"""paper_figures/report.html: every record and every reference point in one page that opens from disk, without a network.

Points (ours from records, references from CSV files) are made in Python; page.py puts them and page.html, style.css and the scripts
beside it into one file. The scripts are our own: about 40 kB instead of a plotting library's megabyte, and every mark is a link.
"""

from fastscale.paper.report.page import report_page, write_report

__all__ = ["report_page", "write_report"]
