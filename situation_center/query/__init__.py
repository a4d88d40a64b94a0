"""What readings said: newest values, windows, totals, versions, exports; for screens and REST (decision 0048)."""

from situation_center.query.members import quantities as quantities
from situation_center.query.newest import newest as newest
from situation_center.query.totals import Totals as Totals
from situation_center.query.totals import totals as totals
from situation_center.query.versions import Version as Version
from situation_center.query.versions import versions as versions
from situation_center.query.window import Window as Window
from situation_center.query.window import window as window
