-- What a version of a template was written in; its html_content is what that was compiled to when it was saved.

ALTER TABLE template_versions
    ADD COLUMN source_type text NOT NULL DEFAULT 'html'
        CHECK (source_type IN ('html', 'mjml', 'markdown', 'blocks')),
    ADD COLUMN source text NOT NULL DEFAULT '',           -- '' : html_content is the source; blocks: JSON
    ADD COLUMN inline_css boolean NOT NULL DEFAULT false;
