from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from wagtail.models import Page, Site

from home.models import ArticlePage, HomePage


class Command(BaseCommand):
    help = "Migrate this site's database and make its home page, one article and admin, unless they are there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--password-file", required=True, help="the file that holds the password of the user admin")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self.make_admin(options["password_file"])
        home = HomePage.objects.first() or self.make_pages()
        Site.objects.update_or_create(
            is_default_site=True,
            defaults={
                "hostname": settings.ALLOWED_HOSTS[0],
                "port": port(),
                "root_page": home,
                "site_name": settings.WAGTAIL_SITE_NAME,
            },
        )

    def make_admin(self, password_file: str) -> None:
        user = get_user_model()
        if not user.objects.filter(username="admin").exists():
            with open(password_file, encoding="utf-8") as file:
                user.objects.create_superuser("admin", "admin@example.org", file.read().strip())

    def make_pages(self) -> HomePage:
        name = settings.WAGTAIL_SITE_NAME
        root = Page.get_first_root_node()
        home = HomePage(title=f"Welcome to {name}", slug=f"home-{name.lower()}", intro=f"This is {name}, alone.")
        root.add_child(instance=home)
        home.add_child(instance=ArticlePage(title=f"The first article of {name}", body=f"<p>Only {name} has it.</p>"))
        return home


def port() -> int:
    """Return the port of the site's own address."""
    scheme, _, rest = settings.WAGTAILADMIN_BASE_URL.partition("://")
    number = rest.rpartition(":")[2]
    return int(number) if number.isdigit() else {"http": 80, "https": 443}[scheme]
