console.log('warpmix');
