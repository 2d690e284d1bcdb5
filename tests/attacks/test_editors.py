"""
What an editor of one site, whose admin lets him write any text, tries on the neighbours: with names of hosts, names of
files, redirects and purges. His means are rows in the site's own database and files in its own uploads.
"""
