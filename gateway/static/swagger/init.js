// validatorUrl is null because the explorer must not send the contract to any outside service.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#explorer",
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "none",
  filter: true,
});
