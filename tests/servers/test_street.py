from __future__ import annotations
import pytest, time
pytestmark = pytest.mark.servers

def test_home(street):
    for s in ("aurora","lyra"):
        p = street.home(s).get("/")
        print(p.status, p.text[:300]); print(street.process(s))
    import subprocess
    print(subprocess.run("ps axf -o user,group,pid,args | grep -v '\\[' ; ls -laR "+str(street.folder)+" | head -150", shell=True, capture_output=True, text=True).stdout)
    b = street.admin("aurora")
    for u in ("/admin/images/add/", "/admin/documents/add/", "/admin/pages/add/home/articlepage/3/"):
        p = b.get(u)
        print(u, p.status, b.cookies)
