// Shows the server's own description of its routes, and asks nobody else about it.
window.SwaggerUIBundle({
  dom_id: "#docs",
  url: "openapi.json",
  deepLinking: true,
  validatorUrl: null,
});
