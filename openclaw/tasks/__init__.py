"""What is asked: template, scope, injection, preflight, claims, the rendered task."""
