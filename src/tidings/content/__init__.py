"""What is said? Templates and their versions, Liquid compiled to run at full speed, previews.

Owns: templates, template_versions.
"""
