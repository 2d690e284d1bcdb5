from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from wagtail.models import Page, Site

from home.models import ArticlePage, HomePage


class Command(BaseCommand):
    help = "Make the home page, one article and the admin of this site, unless they are there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--password-file", required=True, help="the file that holds the password of the user admin")

    def handle(self, *args: Any, **options: Any) -> None:
        self.make_admin(options["password_file"])
        if not HomePage.objects.exists():
            self.make_pages()

    def make_admin(self, password_file: str) -> None:
        user = get_user_model()
        if not user.objects.filter(username="admin").exists():
            with open(password_file, encoding="utf-8") as file:
                user.objects.create_superuser("admin", "admin@example.org", file.read().strip())

    def make_pages(self) -> None:
        name = settings.WAGTAIL_SITE_NAME
        root = Page.get_first_root_node()
        home = HomePage(title=f"Welcome to {name}", slug=f"home-{name.lower()}", intro=f"This is {name}, alone.")
        root.add_child(instance=home)
        home.add_child(instance=ArticlePage(title=f"The first article of {name}", body=f"<p>Only {name} has it.</p>"))
        host = settings.ALLOWED_HOSTS[0]
        Site.objects.update_or_create(
            is_default_site=True, defaults={"hostname": host, "port": port(), "root_page": home, "site_name": name}
        )


def port() -> int:
    """Return the port of the site's own address."""
    scheme, _, rest = settings.WAGTAILADMIN_BASE_URL.partition("://")
    number = rest.rpartition(":")[2]
    return int(number) if number.isdigit() else {"http": 80, "https": 443}[scheme]
