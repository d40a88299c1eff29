"""Measurements: the parts one by one (`micro`), and the installed command beside its peers (`run`)."""
