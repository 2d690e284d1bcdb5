import io
import shutil
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.images import ImageFile
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction
from django.utils import timezone
from wagtail.coreutils import get_supported_content_language_variant
from wagtail.images import get_image_model
from wagtail.models import Locale, Page, Site

from home.models import ArticlePage, HomePage, Look
from home.pictures import paint
from wagtail_multihost.running import own_id

DEMO = Path(__file__).parents[2] / "demo"


class Command(BaseCommand):
    help = "Migrate this site's database and fill it with content in the site's language, unless it has some."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--password-file", required=True, help="the file that holds the password of the user admin")
        parser.add_argument(
            "--template",
            type=Path,
            help="an SQLite database without content: a new site's database is a copy of it. It is made where missing",
        )

    def handle(self, *args: Any, password_file: str, template: Path | None = None, **options: Any) -> None:
        is_new = template is not None and not Path(connection.settings_dict["NAME"]).exists()
        if is_new and template.exists():
            copy_template(template)
        call_command("migrate", interactive=False, verbosity=0)
        if is_new and not template.exists():
            keep_template(template)
        # All or nothing: stopped halfway, the next call finds nothing and starts again.
        with transaction.atomic():
            make_admin(Path(password_file))
            address_site(HomePage.objects.first() or make_pages(read_demo()))


def copy_template(template: Path) -> None:
    """Start from a migrated database, which takes a tenth of the time. It belongs to the site that it was made as."""
    database = Path(connection.settings_dict["NAME"])
    draft = database.with_suffix(".new")
    shutil.copyfile(template, draft)
    draft.rename(database)
    # The fuse refuses another site's database; this is the one command that takes it over.
    call_command("multihost_adopt", own_id(), interactive=False, verbosity=0)


def keep_template(template: Path) -> None:
    """Keep a copy of the database, which has no content yet: neither users nor sessions may get to another site."""
    draft = template.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(draft)])
    draft.rename(template)


def make_admin(password_file: Path) -> None:
    user = get_user_model()
    if not user.objects.filter(username="admin").exists():
        password = password_file.read_text(encoding="utf-8").strip()
        user.objects.create_superuser("admin", "admin@example.org", password)


def read_demo() -> dict[str, Any]:
    """Return the content in the site's language, in English where there is none."""
    path = DEMO / f"{settings.LANGUAGE_CODE.partition('-')[0]}.toml"
    return tomllib.loads((path if path.exists() else DEMO / "en.toml").read_text(encoding="utf-8"))


def make_pages(demo: dict[str, Any]) -> HomePage:
    """Make a home page with articles and pictures, in place of the one that Wagtail's migrations made."""
    # They also wrote the language of the site that the template was made as.
    Locale.objects.update(language_code=get_supported_content_language_variant(settings.LANGUAGE_CODE))
    home = HomePage(title=demo["title"].format(name=settings.WAGTAIL_SITE_NAME), slug="welcome", intro=demo["intro"])
    home.picture = make_picture(demo["theme"], home.title, 0)
    Page.get_first_root_node().add_child(instance=home)
    for number, article in enumerate(demo["articles"], start=1):
        page = ArticlePage(title=article["title"], search_description=article["teaser"], body=article["body"])
        page.picture = make_picture(demo["theme"], page.title, number)
        page.first_published_at = timezone.now() - timedelta(days=7 * number)
        home.add_child(instance=page)
    site = address_site(home)
    Look.objects.update_or_create(site=site, defaults={"theme": demo["theme"]})
    for page in home.get_siblings(inclusive=False):
        page.delete()
    return home


def make_picture(theme: str, title: str, number: int) -> Any:
    file = ImageFile(io.BytesIO(paint(theme, number)), name=f"{theme}-{number}.jpg")
    return get_image_model().objects.create(title=title, file=file)


def address_site(home: HomePage) -> Site:
    """Say in Wagtail's Site row what the registry says of the address."""
    own = {"hostname": settings.ALLOWED_HOSTS[0], "port": port(), "site_name": settings.WAGTAIL_SITE_NAME}
    return Site.objects.update_or_create(is_default_site=True, defaults={**own, "root_page": home})[0]


def port() -> int:
    """Return the port of the site's own address."""
    scheme, _, rest = settings.WAGTAILADMIN_BASE_URL.partition("://")
    number = rest.rpartition(":")[2]
    return int(number) if number.isdigit() else {"http": 80, "https": 443}[scheme]
