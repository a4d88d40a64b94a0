"""What a developer runs on a checkout: set-up, the whole test suite, the reference pages."""
