/* The smallest file that is a plugin to the reader of notes; scripts/fuzz compiles it into a seed. */
__attribute__((section(".porter.plugin"), used)) static const char note[] =
    "kind=plugin\0name=acme.audit\0version=1.0\0summary=s\0sdk=1\0fingerprint=x\0option=a\037text\037b\037c";
void porter_plugin_create(void) {}
