"""Fourth floor: faces of the report; every number they show comes from it."""
