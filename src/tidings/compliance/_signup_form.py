"""A signup form as HTML: the inputs that our own page and every page it is embedded in have in common.

Everything that people or their customers wrote is escaped; there is no script in it but the small one of `embed_script`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from tidings.audience.forms import AnswerProblem, Form, Question
from tidings.audience.lists import ListTerms, OptIn
from tidings.compliance._words import WORDS, pick_language
from tidings.core.ids import ListId, public_id

_AUTOCOMPLETE = {
    "email": "email",
    "first_name": "given-name",
    "last_name": "family-name",
    "phone": "tel",
    "language": "language",
}


@dataclass(frozen=True, slots=True)
class ShownForm:
    """A form with everything that its page shows, in one language: `token` is its public id, `terms` are its lists."""

    form: Form
    token: str
    sender: str
    terms: Sequence[ListTerms]
    questions: Sequence[Question]
    language: str

    @property
    def lists(self) -> list[str]:
        """What its lists are called."""
        return [one.shown_name for one in self.terms]

    @property
    def chooses(self) -> bool:
        """Whether people tick the lists they want."""
        return self.form.choose_lists and len(self.terms) > 1

    def chosen(self, told: Sequence[str]) -> list[ListId]:
        """The lists that somebody ticked, by their public ids; all where there is nothing to tick."""
        return [one.id for one in self.terms if not self.chooses or public_id("list", one.id) in told]

    def confirms(self, lists: Sequence[ListId]) -> bool:
        """Whether signing up for these has to be confirmed."""
        return wants_confirmation([one for one in self.terms if one.id in lists], self.form.opt_in)

    @property
    def words(self) -> Mapping[str, str]:
        """Our own words in its language."""
        return WORDS[self.language]

    @property
    def title(self) -> str:
        """The heading."""
        return self.form.title or self.words["title"].format(lists=", ".join(self.lists))

    @property
    def consent(self) -> str:
        """What people agree to."""
        lists = self.words["chosen_lists"] if self.chooses else ", ".join(self.lists)
        return self.form.consent or self.words["consent"].format(sender=self.sender, lists=lists)

    @property
    def button(self) -> str:
        """What is written on the button."""
        return self.form.button or self.words["button"]

    @property
    def wording(self) -> str:
        """All that people read before they press the button."""
        return self.agreed_to(())

    def agreed_to(self, lists: Sequence[ListId]) -> str:
        """The same with the boxes that they ticked: what is kept as proof."""
        parts = [self.title, self.form.intro]
        if self.chooses:
            parts += ["\n".join(f"[{'x' if one.id in lists else ' '}] {one.shown_name}" for one in self.terms)]
        parts += [self.consent]
        parts += [f"[x] {self.words['agree']}"] if self.form.consent_box else []
        return "\n\n".join(part for part in [*parts, f"[{self.button}]"] if part)

    @property
    def version(self) -> str:
        """Stands for the wording: a form that was shown with another one is shown anew."""
        return hashlib.blake2b(self.wording.encode("utf-8", "replace"), digest_size=9).hexdigest()

    def in_language(self, language: str) -> "ShownForm":
        """The same in another language that we speak."""
        return replace(self, language=pick_language(language))


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the inputs, and what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, AnswerProblem] = field(default_factory=dict)
    agreed: bool = False
    disagreed: bool = False
    lists: Sequence[ListId] = ()


EMPTY = Filled()


def form_inputs(shown: ShownForm, filled: Filled = EMPTY, *, ticket: str = "", prefix: str = "tidings") -> str:
    """The inputs and the button, to be put into a `<form method="post">`. `prefix` begins every id."""
    hidden = {"wording": shown.version, "lang": shown.language} | ({"ticket": ticket} if ticket else {})
    email = Question("email", shown.words["email"], True, "email")
    return "\n".join(
        [
            *(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items()),
            _trap(shown, prefix),
            *(_input(shown, question, filled, prefix) for question in (email, *shown.questions)),
            _lists(shown, filled, prefix),
            _consent(shown, filled, prefix),
            f'<button type="submit">{escape(shown.button)}</button>',
        ]
    )


def embed_html(shown: ShownForm, *, address: str) -> str:
    """The form for any page, without a script: our page asks for one more press of a button, which keeps programs out."""
    return f'<form action="{escape(address)}" method="post" accept-charset="utf-8">\n{_embedded(shown)}\n</form>\n'


def embed_script(shown: ShownForm, *, address: str) -> str:
    """The same with a small script: the answer appears in place. Without scripts it works as the other does.

    The page's origin must be among the form's `origins`.
    """
    form_id = f"tidings-{shown.token}"
    words = {"busy": shown.words["sending"]}
    return (
        f'<form id="{form_id}" action="{escape(address)}" method="post" accept-charset="utf-8">\n{_embedded(shown)}\n'
        f'<p role="status" aria-live="polite" hidden></p>\n</form>\n'
        + _SCRIPT.replace("ID", form_id).replace("BUSY", words["busy"])
    )


def _embedded(shown: ShownForm) -> str:
    """With ids of its own: a page may have several forms."""
    return form_inputs(shown, prefix=f"tidings-{shown.token}")


_SCRIPT = """<script>
(function (form) {
  // A field may be named "action" or "submit": ask the element, not its namesakes.
  var ticket, to = form.getAttribute('action'), own = HTMLFormElement.prototype, says = form.querySelector('[role=status]');
  function show(text) { says.hidden = false; says.textContent = text; }
  form.addEventListener('focusin', function () {
    ticket = ticket || fetch(to + '/ticket').then(function (r) { return r.json(); });
  });
  form.addEventListener('submit', function (event) {
    if (!ticket || !window.fetch) return;
    event.preventDefault();
    show('BUSY');
    ticket.then(function (made) {
      var data = new URLSearchParams(new FormData(form));
      data.set('ticket', made.ticket);
      return fetch(to, { method: 'POST', body: data, headers: { Accept: 'application/json' } });
    }).then(function (r) { return r.json(); }).then(function (answer) {
      if (answer.status === 'again') return own.submit.call(form);
      if (answer.redirect_url) return void (location.href = answer.redirect_url);
      show(answer.message);
      if (answer.status === 'ok') own.reset.call(form);
    }).catch(function () { own.submit.call(form); });
  });
})(document.getElementById('ID'));
</script>
"""


def _trap(shown: ShownForm, prefix: str) -> str:
    """An input that no person sees or reaches, and programs fill in."""
    hide = "position:absolute;left:-9999px;width:1px;height:1px;overflow:hidden"
    return (
        f'<div style="{hide}" aria-hidden="true"><label for="{prefix}-trap">{escape(shown.words["trap"])}</label>'
        f'<input id="{prefix}-trap" name="your_homepage" tabindex="-1" autocomplete="off"></div>'
    )


def _input(shown: ShownForm, question: Question, filled: Filled, prefix: str) -> str:
    name, words = question.name, shown.words
    value = filled.values.get(name, "")
    id_ = escape(f"{prefix}-{name}")
    attributes = f'id="{id_}" name="{escape(name)}"'
    if question.required:
        attributes += " required"
    if name in _AUTOCOMPLETE:
        attributes += f' autocomplete="{_AUTOCOMPLETE[name]}"'
    problem = filled.problems.get(name)
    error = ""
    if problem is not None:
        attributes += f' aria-invalid="true" aria-describedby="{id_}-error"'
        error = f'<p class="error" id="{id_}-error">{escape(words[problem])}</p>'
    label = escape(question.label or words.get(name, name))
    if question.kind == "boolean":
        checked = " checked" if value else ""
        box = f'<input type="checkbox" {attributes} value="on"{checked}>'
        return f'<p class="check">{box} <label for="{id_}">{label}</label></p>{error}'
    if not question.required:
        label += f' <span class="optional">({escape(words["optional"])})</span>'
    if question.kind == "choice":
        options = "".join(
            f"<option{' selected' if choice == value else ''}>{escape(choice)}</option>" for choice in question.choices
        )
        control = f'<select {attributes}><option value="">{escape(words["choose"])}</option>{options}</select>'
    else:
        kind = {"email": "email", "tel": "tel", "date": "date"}.get(question.kind, "text")
        mode = ' inputmode="decimal"' if question.kind == "number" else ""
        control = f'<input type="{kind}" {attributes}{mode} maxlength="1000" value="{escape(value)}">'
    # A block by itself, so that it looks like a form on pages that say nothing of how forms look.
    return f'<div class="field"><label for="{id_}" style="display:block">{label}</label>{control}{error}</div>'


def _lists(shown: ShownForm, filled: Filled, prefix: str) -> str:
    if not shown.chooses:
        return ""
    boxes: list[str] = []
    for one in shown.terms:
        number = public_id("list", one.id)
        checked = (
            " checked" if one.id in filled.lists else ""
        )  # never of ourselves: silence is no consent (GDPR recital 32)
        about = f'<br><small class="about">{escape(one.public_description)}</small>' if one.public_description else ""
        boxes.append(
            f'<p class="check"><input type="checkbox" id="{prefix}-{number}" name="list" value="{number}"{checked}>'
            f' <label for="{prefix}-{number}">{escape(one.shown_name)}{about}</label></p>'
        )
    error = described = ""
    if "list" in filled.problems:
        described = f' aria-invalid="true" aria-describedby="{prefix}-list-error"'
        error = f'<p class="error" id="{prefix}-list-error">{escape(shown.words["choose_list"])}</p>'
    legend = f"<legend>{escape(shown.words['lists'])}</legend>"
    return f'<fieldset class="lists"{described}>{legend}{"".join(boxes)}{error}</fieldset>'


def wants_confirmation(lists: Sequence[ListTerms], opt_in: OptIn | None) -> bool:
    """Whether signing up for these has to be confirmed."""
    if opt_in is not None:
        return opt_in is OptIn.DOUBLE
    return any(one.opt_in is OptIn.DOUBLE for one in lists)


def _consent(shown: ShownForm, filled: Filled, prefix: str) -> str:
    text = "<br>".join(escape(line) for line in shown.consent.splitlines())
    if not shown.form.consent_box:
        return f'<p class="consent">{text}</p>'
    error = f'<p class="error" id="{prefix}-consent-error">{escape(shown.words["agree_first"])}</p>'
    described = f' aria-invalid="true" aria-describedby="{prefix}-consent-error"' if filled.disagreed else ""
    checked = " checked" if filled.agreed else ""
    return (
        f'<p class="consent">{text}</p><p class="check">'
        f'<input type="checkbox" id="{prefix}-consent" name="consent" value="on" required{described}{checked}> '
        f'<label for="{prefix}-consent">{escape(shown.words["agree"])}</label></p>{error if filled.disagreed else ""}'
    )
