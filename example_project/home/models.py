from django.db import models
from wagtail.admin.panels import FieldPanel
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting
from wagtail.fields import RichTextField
from wagtail.models import Page
from wagtail.search import index


class HomePage(Page):
    intro = models.CharField(max_length=250, blank=True)
    picture = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    content_panels = [*Page.content_panels, FieldPanel("intro"), FieldPanel("picture")]
    subpage_types = ["home.ArticlePage"]


class ArticlePage(Page):
    body = RichTextField(blank=True)
    picture = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    search_fields = [*Page.search_fields, index.SearchField("body")]
    content_panels = [*Page.content_panels, FieldPanel("body"), FieldPanel("picture")]
    parent_page_types = ["home.HomePage"]
    subpage_types = []


@register_setting(icon="view")
class Look(BaseSiteSetting):
    """
    The theme that a site's people have chosen. All sites share the themes, which are code; the choice is a row in the
    site's own database.
    """

    class Theme(models.TextChoices):
        NIGHT = "night"
        EMBER = "ember"
        GARDEN = "garden"

    theme = models.CharField(max_length=20, choices=Theme, default=Theme.NIGHT)

    @property
    def logo(self) -> str:
        """The static file of the theme's logo."""
        return f"home/{self.theme}.svg"
