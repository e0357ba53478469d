// What this wiki has of its own, on both sides alike.

wfLoadSkins( [ 'Vector', 'MonoBook' ] );

// A page that needs more memory than others.
$wgHooks['BeforePageDisplay'][] = function ( $out ) {
	if ( $out->getTitle()->getText() === 'Everything' ) {
		$text = str_repeat( 'x', 72 << 20 );
		$out->addMeta( 'size', (string)strlen( $text ) );
	}
};

// A careless line, of which every wiki has one: it warns where warnings are shown.
$wgHooks['BeforePageDisplay'][] = function ( $out ) {
	$seen = [];
	$out->addMeta( 'version', (string)$seen['version'] );
};
