"""What is generated from the declarations: OpenAPI, AsyncAPI, event schemas, form metadata, and the gate over them."""
