from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from wagtail.models import Page


def search(request: HttpRequest) -> HttpResponse:
    """List the live pages that match the query ``q``."""
    query = request.GET.get("q", "")
    results = Page.objects.live().search(query) if query else Page.objects.none()
    return render(request, "home/search.html", {"query": query, "results": results})
